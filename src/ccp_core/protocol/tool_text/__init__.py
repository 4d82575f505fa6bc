"""Tool calls that a model wrote as text, because the server did not know its template."""

from ccp_core.protocol.tool_text.calls import TextToolCall
from ccp_core.protocol.tool_text.rescue import ToolTextRescue, rescue_all

__all__ = ["TextToolCall", "ToolTextRescue", "rescue_all"]

"""An MCP server on standard input and output, with one tool whose name is longer than chat APIs allow."""

from __future__ import annotations

import json
import sys

TOOL = "add_two_whole_numbers_and_say_in_words_what_their_sum_is"


def result(method: str, params: dict) -> dict:
    match method:
        case "initialize":
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "tiny", "version": "1"},
            }
        case "tools/list":
            number = {"type": "integer"}
            schema = {"type": "object", "properties": {"a": number, "b": number}, "required": ["a", "b"]}
            return {"tools": [{"name": TOOL, "description": "Adds numbers.", "inputSchema": schema}]}
        case "tools/call":
            numbers = params["arguments"]
            return {"content": [{"type": "text", "text": f"The sum is {numbers['a'] + numbers['b']}."}]}
    return {}


if __name__ == "__main__":
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            said = result(message["method"], message.get("params", {}))
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": said}), flush=True)

"""The benchmarks' sink: the tests' third party in a process of its own, asked over stdin and stdout.

Asked over HTTP it would parse what it holds, on the loop that is being measured. Prints
``{"port": N}``, then answers each line of JSON with one.
"""

import argparse
import gc
import json
import sys
from typing import Any

from tests.servers.third_party import ThirdParty


def answer(server: ThirdParty, order: dict[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "count":
            return {"count": len(server.requests)}
        case "reset":
            server.reset()
            return {}
        case "arrivals":
            return {
                "arrivals": [
                    [each.at, each.path, each.delivery_id, each.body.decode() if order["bodies"] else ""]
                    for each in server.requests
                ]
            }
        case unknown:
            raise ValueError(unknown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--behave", default="ok", help="see tests.servers.behaviour")
    options = parser.parse_args()
    # What it keeps is never garbage, and looking for some costs more the more it keeps.
    gc.disable()
    with ThirdParty(host=options.host) as server:
        server.behave(options.behave)
        print(json.dumps({"port": server.port}), flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(server, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

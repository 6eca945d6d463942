"""Two systems that speak to the national axis by its library exchange documents through two nodes, and notice nothing."""

import base64
from pathlib import Path

from tests.papers import document, status_about
from tests.web.sdk import Said, Sdk
from tests.web.support import eventually, run, two_bridges


async def rows(sdk: Sdk, kind: str = "edoc") -> list[dict[str, str]]:
    said = await sdk.call("getReceivedEdocList", servicetype="eDoc", messagetype=kind)
    assert said.ok
    return list(said.json["data"])


async def the_row(sdk: Sdk, kind: str = "edoc") -> dict[str, str]:
    async def one() -> dict[str, str] | None:
        return next(iter(await rows(sdk, kind)), None)

    return await eventually(one)


async def fetched(sdk: Sdk, docket: str) -> bytes:
    said: Said = await sdk.call("getEdoc", docId=docket, filePath="xml")
    assert said.ok, said.json
    return base64.b64decode(said.json["data"])


def test_a_document_goes_out_and_its_status_comes_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_bridges(tmp_path) as (ministry, province, _):
            bo, tinh = ministry.system("qlvb-bo", "G14", "G14.01"), province.system("qlvb-tinh", "H49", "H49.22.05")
            packet = document("000.05.22.H49", number="7", attachments=[("công văn.pdf", b"%PDF-1.7 noi dung")])
            sent = await bo.send_edoc(packet, **{"from": "G14"})
            assert sent.ok
            assert sent.json["ErrorDesc"] == "Success"

            row = await the_row(tinh)
            assert (row["from"], row["to"], row["status"], row["messageType"]) == (
                "G14",
                "H49.22.05",
                "initial",
                "edoc",
            )
            assert await fetched(tinh, row["docId"]) == packet
            assert (await tinh.call("updateStatus", docid=row["docId"], status="done")).ok
            assert await rows(tinh) == []

            report = status_about("7", "06", sender="H49.22.05", description="Hoàn thành")
            assert (await tinh.send_edoc(report, messagetype="status", **{"from": "H49.22.05"})).ok
            back = await the_row(bo, "status")
            assert (back["messageType"], back["from"], back["to"]) == ("status", "H49.22.05", "G14")
            assert await fetched(bo, back["docId"]) == report
            assert (await bo.call("updateStatus", docid=back["docId"], status="done")).ok

            said = await bo.call("getSentEdocList", servicetype="eDoc", messagetype="edoc", docId=sent.json["DocId"])
            [shown] = said.json["data"]
            assert (shown["senderDocId"], shown["receiverDocId"]) == (sent.json["DocId"], row["docId"])
            assert (shown["sendStatus"], shown["receiveStatus"]) == ("done", "done")
            assert (shown["fromCode"], shown["toCode"], shown["notation"]) == ("G14", "H49.22.05", "7/BM-VP")

    run(story())

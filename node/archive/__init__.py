"""The archive: a document with all that happened to it, as files that are readable in thirty years without a node.

    muc-luc.html      what is here, in Vietnamese, for people; opens in any browser, without a network
    thong-tin.json    the same for programs
    sieu-du-lieu.json the document's metadata under the names of NĐ 30/2020 Phụ lục VI and TT 02/2019/TT-BNV
    lich-su.csv       the history, one event a line, for a spreadsheet
    goi-tin/          the packets, octet for octet as they travelled
    tep-dinh-kem/     the attached files, taken out of the packets
    bien-nhan/        the signed receipts: exact octets (.bin), and what they say (.json)
    SHA256SUMS        digests of all the others; `sha256sum -c SHA256SUMS` checks them

It can be made from the author's side and from a recipient's, through the office's own door: whoever may not read a document cannot
archive it either. A packet that the node no longer keeps is named as missing, and all else is there. The same input gives the same octets:
nothing in it tells when it was made.

    write.py      all of it, in order                 sink.py       where it is written: a folder or a zip, whole or not at all
    collect.py    packets out of the node             receipts.py   receipts as files
    facts.py      what stays in memory of them        metadata.py   the fields of the decree
    document.py   thong-tin.json, sieu-du-lieu.json   history.py    lich-su.csv        index.py   muc-luc.html
"""

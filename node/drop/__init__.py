"""The drop folder: an office without software puts files into a folder, and finds what came and what became of them in others.

    gui/        to be sent: a packet (.edxml), or a form (.toml, as `truc packet new` takes) with the files it attaches
    dang-gui/   taken up, not yet accepted by the node; one folder for each
    da-gui/     accepted: one folder for each, with a receipt (bien-nhan.txt, .json) that follows the deliveries and the statuses
    loi/        refused: one folder for each, with the reason and what to do (loi.txt, .json)
    den/        what came: one folder for each, with the packet, its attachments and a summary; statuses under den/trang-thai/

All state is in these folders (consignment.py): whatever moment the process or the machine stops at, the next start goes on from what lies
where. Nothing is sent twice, because the submission id follows from the content (law 3); nothing is acknowledged before it is durable in
den/ (law 1). Everything moves by renaming within one file system, so nobody ever sees half of anything.

Whoever may write into the folder may send for the system's units, and no more: only plain files in gui/ are taken, links are not followed,
names in forms lead nowhere else, names from packets are made harmless.

    folder.py        one round after another            places.py      the folders, and one process in them
    sending.py       from gui/ to the node              receiving.py   from the node to den/
    consignment.py   one thing on its way, on disk      following.py   receipts that follow deliveries and statuses
    quiet.py         is a file finished?                watching.py    when to look
    paperwork.py     packets of forms; what is told     texts.py       sentences for the clerk
"""

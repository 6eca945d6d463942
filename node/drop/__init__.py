"""The drop folder: an office without software puts files into a folder, and finds what came and what became of them in others.

    gui/        to be sent: a packet (.edxml), or a form (.toml, as `truc packet new` takes) with the files it attaches
    dang-gui/   taken up, not yet accepted by the node; one folder for each
    da-gui/     accepted: one folder for each, with a receipt (bien-nhan.txt, .json) that follows the deliveries and the statuses
    loi/        refused: one folder for each, with the reason and what to do (loi.txt, .json)
    den/        what came: one folder for each, with the packet, its attachments and a summary; statuses under den/trang-thai/

All state is in these folders (consignment.py): whatever moment the process or the machine stops at, the next start goes on from what lies
where. Nothing is sent twice, because the submission id follows from the content (law 3); nothing is acknowledged before it is durable in
den/ (law 1). Everything moves by renaming within one file system, so nobody ever sees half of anything.

A person who may write into the folder may send for the system's units, and no more: only plain files in gui/ are taken, links are not
followed, names in forms lead nowhere else, names from packets are made harmless.

    folder.py          the rounds: receive, send, follow
      receiving.py     from the node to den/
      sending.py       from gui/ to the node          consignment.py   one packet on its way    quiet.py   which files are finished
      following.py     receipts in da-gui/ kept up to date
    places.py          the folders, and how a disk is changed           watching.py   waking when something changes in gui/
    texts.py           what clerks read                                 paperwork.py  packets of forms; events that are told
"""

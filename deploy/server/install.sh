#!/bin/sh
# Installs, upgrades, takes back and removes a truc node from this unpacked archive. Needs root, Python and nothing from the network.
#
# A version lives whole in /opt/truc/RELEASE; `current` and `previous` are links, so that an upgrade is one rename and a way back another.
# All looking is done before anything changes: a refusal leaves the server as it was, the old version running.
# shellcheck disable=SC2015  # "a && b || die" is meant: die ends the script, and b changes nothing
set -eu

bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=
systemd=auto
user=
python=
verb=install
space_mb_min=500

usage() {
    cat <<'TEXT'
Dùng: ./install.sh [install | rollback | uninstall] [TÙY CHỌN]

  install            cài mới, hoặc nâng cấp tại chỗ; phiên bản cũ được giữ lại (mặc định)
  rollback           quay về phiên bản trước
  uninstall          gỡ chương trình; giữ nguyên dữ liệu, khóa và người dùng

  --python LỆNH      dùng Python này, ví dụ --python python3.11
  --user TÊN         chạy nút bằng tài khoản hệ thống này (mặc định truc)
  --no-systemd       không cài dịch vụ systemd (trong container, hoặc tự trông tiến trình)
  --root THƯ-MỤC     cài vào thư mục này thay vì /, không cần root, không tạo tài khoản (để thử)

install (new, or upgrade in place) | rollback (to the version before) | uninstall (data stays). No network is needed.
TEXT
}

say() {
    echo "✓ $1"
}

# die CODE VIETNAMESE ENGLISH: what is wrong and what to do about it.
die() {
    code=$1
    echo "✗ $2" >&2
    echo "  ($3)" >&2
    exit "$code"
}

take_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            install | rollback | uninstall) verb=$1; shift ;;
            --no-systemd) systemd=no; shift ;;
            --python | --user | --root)
                [ $# -gt 1 ] || { usage >&2; exit 64; }
                case $1 in
                    --python) python=$2 ;;
                    --user) user=$2 ;;
                    --root) root=$(CDPATH='' cd -- "$2" 2>/dev/null && pwd -P) ||
                        die 64 "Không có thư mục $2; hãy tạo nó trước." "There is no folder $2; make it first." ;;
                esac
                shift 2 ;;
            -h | --help) usage; exit 0 ;;
            *) usage >&2; exit 64 ;;
        esac
    done
    opt=$root/opt/truc
    state=$root/var/lib/truc
    command=$root/usr/local/bin/truc
    completion_bash=$root/usr/local/share/bash-completion/completions/truc
    completion_zsh=$root/usr/local/share/zsh/site-functions/_truc
    units=$root/etc/systemd/system
    if [ -n "$root" ]; then
        systemd=no
        user=$(id -un)
    else
        [ -n "$user" ] || user=$(cat "$opt/USER" 2>/dev/null || echo truc)
        [ "$(id -u)" = 0 ] || die 77 "Cần quyền root; hãy chạy: sudo ./install.sh $verb" "Root is needed; run: sudo ./install.sh $verb"
    fi
    if [ "$systemd" = auto ]; then
        systemd=yes
        [ -d /run/systemd/system ] || { systemd=no; echo "! Máy này không chạy systemd: không cài dịch vụ. (No systemd here: no service is installed.)"; }
    fi
}

only_one() {
    mkdir -p "$opt"
    exec 9>"$opt/.lock"
    flock -n 9 || die 75 "Một lần cài khác đang chạy; hãy chờ nó xong." "Another installation is running; wait for it to end."
}

# --- what is looked at before anything changes

# How the service stands before anything is changed: active, inactive, or a start that fails (activating, failed).
look_at_service() {
    was=inactive
    [ "$systemd" = no ] || was=$(systemctl show -P ActiveState truc)
}

verify_archive() {
    [ -f "$bundle/SHA256SUMS" ] && [ -f "$bundle/RELEASE" ] && [ -f "$bundle/PLATFORM" ] ||
        die 65 "Bộ cài thiếu tệp. Hãy giải nén lại tệp truc-….tar.gz vào một thư mục trống." "Files are missing. Unpack the archive again into an empty folder."
    (cd "$bundle" && sha256sum --check --strict --quiet SHA256SUMS) >&2 ||
        die 65 "Tệp nêu ở trên bị thiếu hoặc đã bị sửa. Đừng cài; hãy chép lại bộ cài, đối chiếu SHA-256 của tệp tar.gz với nơi phát hành, rồi giải nén lại." \
            "A file named above is missing or altered. Copy the archive again, compare the SHA-256 of the tar.gz with who made it, unpack again."
    release=$(cat "$bundle/RELEASE")
    place=$opt/$release
}

verify_machine() {
    read -r machine pythons <"$bundle/PLATFORM"
    [ "$(uname -m)" = "$machine" ] ||
        die 69 "Bộ cài này cho bộ xử lý $machine, máy này là $(uname -m). Hãy lấy bộ cài …-linux-$(uname -m).tar.gz." \
            "This archive is for $machine, this machine is $(uname -m). Get the archive for $(uname -m)."
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)
    [ -n "$glibc" ] && [ "$(printf '%s\n2.28\n' "$glibc" | sort -V | head -n 1)" = 2.28 ] ||
        die 69 "Cần glibc 2.28 trở lên (Debian 12, 13, Ubuntu 22.04, 24.04 đều có); máy này: ${glibc:-không có glibc}." \
            "glibc 2.28 or newer is needed; this machine has ${glibc:-none}."
    for name in ${python:-python3 python3.13 python3.12 python3.11}; do
        found=$("$name" -c 'import sys, venv; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        case " $pythons " in *" $found "*) python=$name; break ;; esac
        found=
    done
    [ -n "${found:-}" ] ||
        die 69 "Cần Python một trong các bản: $pythons. Debian 12, 13, Ubuntu 24.04: apt-get install python3. Ubuntu 22.04: apt-get install python3.11 rồi chạy lại với --python python3.11." \
            "One of Python $pythons is needed. Ubuntu 22.04: apt-get install python3.11, then --python python3.11."
    free_mb=$(df -Pm "$opt" | awk 'NR == 2 { print $4 }')
    [ "$free_mb" -ge "$space_mb_min" ] ||
        die 69 "Chỉ còn $free_mb MB trống ở $opt, cần $space_mb_min MB. Hãy giải phóng dung lượng." "Only $free_mb MB are free in $opt, $space_mb_min are needed."
}

verify_owner() {
    if [ -z "$root" ] && id "$user" >/dev/null 2>&1 && [ "$(id -u "$user")" -ge 1000 ]; then
        die 78 "Tài khoản $user là của một người dùng, không phải tài khoản hệ thống. Hãy chọn tên khác, ví dụ: ./install.sh --user truc-node" \
            "The account $user is a person's. Choose another name, e.g. ./install.sh --user truc-node"
    fi
    for folder in "$state" "$state/node"; do
        [ -e "$folder" ] || continue
        owner=$(stat -c %U "$folder")
        [ "$owner" = "$user" ] ||
            die 78 "$folder là của $owner, không phải $user. Nếu đó đúng là dữ liệu của nút: chown -R $user:$user $folder, rồi chạy lại." \
                "$folder belongs to $owner, not to $user. If it is the node's: chown -R $user:$user $folder, then run this again."
    done
    if ! is_ours "$command"; then
        die 78 "$command đã có và không phải do bộ cài này tạo. Hãy đổi tên hoặc xóa nó." "$command is not ours. Rename or remove it."
    fi
}

# --- running the program of one version as the node's user

truc_of() {
    folder=$1
    shift
    [ -e "$state/node/node.toml" ] || return 0
    sed -e "s|@USER@|$user|; s|@ROOT@/opt/truc/current|$folder|" "$bundle_of_wrapper/truc" >"$opt/.truc.$$"
    result=0
    TRUC_HOME=$state/node sh "$opt/.truc.$$" "$@" || result=$?
    rm -f "$opt/.truc.$$"
    return $result
}

# STORE_NEWER, settings that this version does not know, keys that others read …: truc itself says what and what to do.
fits() {
    truc_of "$1" serve --check
}

# --- what changes

make_user() {
    [ -n "$root" ] || id "$user" >/dev/null 2>&1 ||
        useradd --system --user-group --home-dir /var/lib/truc --no-create-home --shell /usr/sbin/nologin "$user"
    [ -d "$state" ] || install -d -m 0750 "$state"
    if [ -z "$root" ]; then
        chown "$user:$user" "$state"
        install -d -m 0755 /etc/truc
        echo "$user" >"$opt/USER"
    fi
}

is_whole() {
    [ -f "$place/INSTALLED" ] && "$place/bin/truc" --version >/dev/null 2>&1
}

install_release() {
    if is_whole; then
        cmp -s "$bundle/SHA256SUMS" "$place/INSTALLED" && return
        die 65 "Đã cài $release nhưng với nội dung khác. Hai bộ cài khác nhau không được cùng tên; hãy tạo lại bộ cài từ bản đã ghi (git commit)." \
            "$release is installed with other contents. Make the archive anew from a committed checkout."
    fi
    echo "  Đang cài $release bằng $python ($found) vào $place …"
    half=$place fresh=$place
    rm -rf "$place"
    "$python" -m venv --without-pip "$place"
    env -u PYTHONPATH -u PYTHONHOME PIP_CONFIG_FILE=/dev/null PIP_NO_INPUT=1 "$place/bin/python" "$(echo "$bundle"/wheels/pip-*.whl)/pip" install \
        --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore --no-index --find-links "$bundle/wheels" \
        --only-binary :all: --no-deps --require-hashes -r "$bundle/requirements.lock" ||
        die 65 "pip không cài được; lý do ở trên. Chưa có gì thay đổi. Hãy lấy lại bộ cài." "pip could not install; nothing has changed. Get the archive anew."
    mkdir -p "$place/share"
    cp -R "$bundle/docs" "$bundle/LICENSE" "$bundle/CHANGELOG.md" "$bundle/install.sh" "$bundle/truc" "$bundle"/*.service "$bundle"/*.timer "$bundle"/*.conf "$place/share/"
    { "$place/bin/truc" --version >/dev/null && write_completion bash && write_completion zsh; } ||
        die 65 "Chương trình vừa cài không chạy được; lý do ở trên. Chưa có gì thay đổi." "What was installed does not run; nothing has changed."
    cp "$bundle/SHA256SUMS" "$place/INSTALLED"
    chmod -R u=rwX,go=rX "$place"
}

# The mark stands at the end: zsh reads the first line.
write_completion() {
    "$place/bin/truc" --show-completion "$1" >"$place/share/completion.$1" &&
        echo "# truc-installed: replaced by every upgrade" >>"$place/share/completion.$1"
}

point() {
    ln -sfn "$2" "$opt/.$1.$$"
    mv -T "$opt/.$1.$$" "$opt/$1"
}

# switch NEW OLD: the command, the service's files and `current` become those of NEW.
switch() {
    share=$opt/$1/share
    mkdir -p "$(dirname "$command")"
    sed -e "s|@USER@|$user|; s|@ROOT@|$root|" "$share/truc" >"$command.$$"
    chmod 0755 "$command.$$"
    mv "$command.$$" "$command"
    complete_with "$share/completion.bash" "$completion_bash"
    complete_with "$share/completion.zsh" "$completion_zsh"
    point current "$1"
    [ -z "$2" ] || [ "$2" = "$1" ] || point previous "$2"
    [ "$systemd" = yes ] || return 0
    for one in truc.service truc-refresh.service truc-refresh.timer; do
        # An older version may know fewer.
        if [ -e "$share/$one" ]; then sed -e "s|@USER@|$user|" "$share/$one" >"$units/$one"; else rm -f "$units/$one"; fi
    done
    drop_in "$share/passphrase.conf" "$([ -f /etc/truc/passphrase ] && echo wanted)"
    drop_in "$share/back-off.conf" "$([ "$(systemctl --version | awk 'NR == 1 { print int($2) }')" -ge 254 ] && echo wanted)"
    systemctl daemon-reload
}

is_ours() {
    [ ! -e "$1" ] || grep -q '^# truc-installed:' "$1"
}

# complete_with SCRIPT TARGET: the script where the shell looks for it. An older version has none; a target that is not ours is left alone.
complete_with() {
    if ! is_ours "$2"; then return 0; fi
    if [ -e "$1" ]; then install -D -m 0644 "$1" "$2"; else rm -f "$2"; fi
}

drop_in() {
    target=$units/truc.service.d/10-$(basename "$1")
    if [ -n "$2" ]; then
        mkdir -p "$units/truc.service.d"
        cp "$1" "$target"
    else
        rm -f "$target"
    fi
}

# take_up NEW OLD: NEW in place of OLD. Where the node was up and does not come up with NEW, OLD is put back and runs again.
take_up() {
    new=$1 old=$2
    before=$(linked previous)
    switch "$new" "$old"
    [ "$systemd" = yes ] || return 0
    [ "$was" != inactive ] || return 0
    echo "  Đang khởi động lại nút …"
    timeout 660 systemctl restart truc 2>/dev/null && return 0
    journalctl --no-pager --output cat --lines 12 "_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID truc)" >&2 || true
    [ "$was" = active ] && [ -n "$old" ] && [ "$old" != "$new" ] ||
        die 75 "Đã cài $new, nhưng nút không khởi động được (trước đó cũng không chạy); lý do ở trên, hoặc xem: truc doctor" \
            "$new is installed, but the node does not start, nor did it before; see above, or: truc doctor"
    switch "$old" ""
    if [ -n "$before" ]; then point previous "$before"; else rm -f "$opt/previous"; fi
    half=$fresh
    timeout 660 systemctl restart truc 2>/dev/null ||
        die 75 "Nút không khởi động được với $new, và $old cũng vậy; lý do ở trên. Xem: systemctl status truc, truc doctor" \
            "The node starts neither with $new nor with $old. See: systemctl status truc, truc doctor"
    die 75 "Nút không khởi động được với $new (lý do ở trên) nên đã quay về $old; nút đang chạy." \
        "The node did not start with $new and runs with $old again."
}

forget_older() {
    for one in "$opt"/*/INSTALLED; do
        folder=$(dirname "$one")
        [ ! -L "$folder" ] || continue
        case $(basename "$folder") in "$(linked current)" | "$(linked previous)") ;; *) rm -rf "$folder" ;; esac
    done
}

linked() {
    [ ! -L "$opt/$1" ] || basename "$(readlink "$opt/$1")"
}

# --- the verbs

do_install() {
    verify_archive
    only_one
    half='' fresh=''
    trap '[ -z "$half" ] || rm -rf "$half"' EXIT
    trap 'exit 130' INT TERM HUP
    verify_machine
    verify_owner
    look_at_service
    old=$(linked current)
    make_user
    install_release
    bundle_of_wrapper=$bundle
    fits "$place" ||
        die 78 "Phiên bản $release không chạy được nút đang có; lý do ở trên. ${old:+Phiên bản $old vẫn dùng như cũ.}" \
            "$release cannot run the node that is here; see above. Nothing was changed."
    half=
    take_up "$release" "$old"
    forget_older
    [ "$old" != "$release" ] || old=''
    say "truc $release đã cài vào $place${old:+ (trước đó: $old)}"
    [ -e "$state/node" ] || next_steps
}

next_steps() {
    cat <<TEXT
  Việc tiếp theo (sách: $opt/current/share/docs/README.md):
    truc node create --id tinh-mau --name "UBND tỉnh Mẫu" --prefix H99 --mesh 0.0.0.0:7401 --advertise TÊN-MÁY:7401
TEXT
}

do_rollback() {
    [ -n "$(linked current)" ] || die 78 "Chưa cài truc ở đây." "truc is not installed here."
    only_one
    verify_owner
    look_at_service
    new=$(linked previous) half='' fresh=''
    [ -n "$new" ] && [ -d "$opt/$new" ] || die 78 "Không còn phiên bản trước để quay về. Hãy cài từ bộ cài của phiên bản đó." "There is no previous version. Install it from its archive."
    bundle_of_wrapper=$opt/$new/share
    fits "$opt/$new" ||
        die 78 "Không quay về $new được; lý do ở trên. Nút vẫn dùng $(linked current)." "There is no way back to $new; see above. Nothing was changed."
    old=$(linked current)
    take_up "$new" "$old"
    say "đã quay về truc $new (vừa rời $old; chạy rollback lần nữa để trở lại)"
}

do_uninstall() {
    if [ "$systemd" = yes ]; then
        systemctl disable --now truc truc-refresh.timer 2>/dev/null || true
        rm -rf "$units/truc.service" "$units/truc.service.d" "$units/truc-refresh.service" "$units/truc-refresh.timer"
        systemctl daemon-reload
    fi
    for one in "$command" "$completion_bash" "$completion_zsh"; do
        if is_ours "$one"; then rm -f "$one"; fi
    done
    rm -rf "$opt"
    say "đã gỡ truc. Dữ liệu và khóa còn nguyên trong $state; tài khoản $user còn nguyên."
}

take_arguments "$@"
"do_$verb"

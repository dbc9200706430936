# What scripts/guest-image and scripts/disk-guest-image share; they source this file. Expects here, the directory of the
# scripts, and image_kind, what the messages call the one that is made.
# shellcheck shell=bash disable=SC2154

readonly cache="${XDG_CACHE_HOME:-$HOME/.cache}/remus/guest"

# architecture, which the sourcing script has set: the guest's, amd64 or arm64.
readonly architecture

# Each module after those that it needs. virtio_ring before virtio: the drivers then drive the devices as they would
# on any Debian. pvpanic tells QEMU of a panic; evdev and button bring the power button to acpid: Debian's arm64 cloud
# kernel has neither.
modules=(
    virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_mmio
    failover net_failover virtio_blk virtio_net
)
[[ $architecture == arm64 ]] || modules+=(pvpanic pvpanic-mmio pvpanic-pci evdev button)
readonly modules

# quiet: a line on the serial console costs time. no_timer_check: on a busy host the kernel's look at the timer can fail
# under software emulation, and it then stops. cryptomgr.notests: a quarter of a second less before init.
case $architecture in
    amd64) readonly cmdline='console=ttyS0 quiet no_timer_check cryptomgr.notests' ;;
    arm64) readonly cmdline='console=ttyAMA0 quiet cryptomgr.notests' ;;
esac

say() { echo "$image_kind: $*" >&2; }
fail() { say "$*"; exit 1; }

# need_tools PROGRAM…
need_tools() {
    local tool
    for tool in "$@"; do
        command -v "$tool" > /dev/null || fail "$tool is missing; run: sudo $here/setup"
    done
    [[ $(dpkg --print-architecture) == amd64 ]] \
        || fail "guests are made on amd64, but dpkg's architecture is $(dpkg --print-architecture)"
}

# recipe_digest FILE…, all in the scripts' directory: what an image of theirs is called.
recipe_digest() { (cd "$here" && sha256sum "$@" guest/making.sh) | sha256sum | cut -c1-16; }

# cached_image NAME MAKER: prints the directory $cache/NAME. Where it is missing, MAKER runs first, with work, a directory
# for all it needs, and image, which it makes by one rename as its last step. One image is made at a time.
cached_image() {
    image="$cache/$1"
    if [[ ! -d $image ]]; then
        mkdir -p "$cache"
        # The lock goes with this process, however it ends. Who waited for it finds the image made. Its programs do
        # not get it: one that outlived this process would hold up the next run.
        exec 9> "$cache/.lock"
        flock -n 9 || { say "another run is making an image: waiting for it"; flock 9; }
        if [[ ! -d $image ]]; then
            remove "$cache"/.making-*   # of a run that was killed: its lock is ours now
            work=$(mktemp -d "$cache/.making-XXXXXX")
            trap 'remove "$work"' EXIT
            trap 'exit 130' INT
            trap 'exit 143' TERM
            mkdir -p "$work/image"
            "$2" 9>&-
            remove "$work"
            trap - EXIT INT TERM
        fi
    fi
    echo "$image"
}

# Removes what is left of a run; a script that has more to end than files says so here.
remove() { rm -rf "$@"; }

# apt-get and apt-cache, on the system's package lists or, once use_own_lists was called, on lists of our own.
apt_options=(-q -o Debug::NoLocking=true -o APT::Sandbox::User="$(id -un)")
apt() { local command=$1; shift; "apt-$command" "${apt_options[@]}" "$@"; }

use_own_lists() {
    say "$1: fetching lists of our own"
    mkdir -p "$work/lists/partial" "$work/archives/partial"
    apt_options+=(-o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/archives" -o Dir::Cache::pkgcache=
        -o Dir::Cache::srcpkgcache= -o APT::Architecture="$architecture" -o APT::Architectures="$architecture")
    apt get update >&2
}

# The package of Debian's cloud kernel: a dependency of its meta-package.
kernel_package() {
    apt cache depends "linux-image-cloud-$architecture" 2> /dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | grep .
}

# extract_packages DIRECTORY: unpacks all of $work/packages there and notes their versions in the image.
extract_packages() {
    local package
    for package in "$work"/packages/*.deb; do
        dpkg-deb -x "$package" "$1"
        # shellcheck disable=SC2016 # dpkg-deb's own variables
        dpkg-deb --show --showformat='${Package} ${Version}\n' "$package" >> "$work/image/packages.txt"
    done
}

# add_modules SYSTEM ROOT: copies the modules into an initrd's root, uncompressed: busybox's insmod then needs nothing
# else.
add_modules() {
    local module found
    mkdir -p "$2/modules"
    for module in "${modules[@]}"; do
        found=$(find "$1/lib/modules" "$1/usr/lib/modules" \
            \( -name "$module.ko" -o -name "$module.ko.xz" \) -print -quit 2> /dev/null || true)
        case $found in
            *.ko) cp "$found" "$2/modules/" ;;
            *.ko.xz) xz -dc "$found" > "$2/modules/$module.ko" ;;
            *) fail "Debian's kernel package holds no module $module; change the list in $here/guest/making.sh" ;;
        esac
        echo "$module.ko" >> "$2/modules.order"
    done
}

# add_busybox SYSTEM ROOT: busybox and all its names, in ROOT/bin. One that can't run here gets the name of a shell, and
# makes the others as it boots.
add_busybox() {
    local name
    cp "$1/bin/busybox" "$2/bin/" 2> /dev/null || cp "$1/usr/bin/busybox" "$2/bin/"
    if [[ $architecture != amd64 ]]; then
        ln -s busybox "$2/bin/sh"
        return
    fi
    for name in $("$2/bin/busybox" --list); do
        [[ $name == busybox ]] || ln -s busybox "$2/bin/$name"
    done
}

# pack_initrd ROOT FILE: everything in it belongs to root and carries the same date, whoever makes it.
pack_initrd() {
    find "$1" -exec touch -h -d @0 {} +
    (cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --reproducible -R 0:0) > "$2"
}

# copy_kernel SYSTEM FILE
copy_kernel() {
    local kernel
    kernel=$(find "$1/boot" -name 'vmlinuz-*' -print -quit)
    [[ -n $kernel ]] || fail "Debian's kernel package holds no vmlinuz"
    cp "$kernel" "$2"
}

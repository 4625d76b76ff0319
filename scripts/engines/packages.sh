# shellcheck shell=sh
# Engines of other Debian releases than the machine's, for scripts/engine: fetched once, checked by apt against the
# release's signed list of packages, unpacked beside the machine's own. Nothing of the machine's is changed.
#
# Docker is unpacked only, since its programs run on any libc that is not older; Podman wants its own libraries, so it
# gets a small root of its own.

# shellcheck disable=SC2154  # $kind is scripts/engine's
trees=${RECONCILER_ENGINE_CACHE:-/var/cache/reconciler-engines}
tree=$trees/$kind

release() { # the Debian release that has this kind
    case $kind in
        docker20) echo bookworm ;;
        docker26 | podman5) echo trixie ;;
        docker28) echo sid ;;
    esac
}

mirror() { # the mirror that this machine's apt uses
    found=${DEBIAN_MIRROR:-}
    # shellcheck disable=SC2016  # apt fills these in
    [ -n "$found" ] || found=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        sed -n '/security\|updates\|backports/d; s#^\(.*/debian\)/* .*#\1#p' | head -n 1)
    [ -n "$found" ] || die 'no mirror of Debian in the sources of apt: name one in DEBIAN_MIRROR'
    echo "$found"
}

fetch() { # fetch PACKAGE...: into $tree, as one step: a tree that is there is whole
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    apt=$trees/$kind.apt
    rm -rf "$tree.part" "$apt"
    mkdir -p "$tree.part" "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb [signed-by=$keyring] $(mirror) $(release) main" > "$apt/sources.list"
    apt_here() {
        timeout 300 apt-get -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
            -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root "$@" >&2
    }
    apt_here update || die "no list of the packages of $(release)"
    for package; do
        (cd "$apt/cache" && apt_here download "$package/$(release)") || die "$package of $(release) cannot be fetched"
    done
    for file in "$apt"/cache/*.deb; do dpkg-deb -x "$file" "$tree.part"; done
    rm -rf "$apt" "$tree.part/usr/share"
    mv "$tree.part" "$tree"
}

bootstrap() { # bootstrap PACKAGE,...: a small Debian in $tree
    rm -rf "$tree.part"
    mkdir -p "$trees/packages"
    if ! timeout 600 debootstrap --variant=minbase --cache-dir="$trees/packages" --include="$1" \
        "$(release)" "$tree.part" "$(mirror)" > "$tree.log" 2>&1; then
        tail -n 20 "$tree.log" >&2
        die "debootstrap of $(release) failed"
    fi
    rm -rf "$tree.part"/var/cache/apt/archives/*.deb "$tree.part"/var/lib/apt/lists/* "$tree.log"
    mv "$tree.part" "$tree"
}

prepare_kind() { # what the kind needs, fetched once however many ask for it at a time
    [ -n "$(release)" ] || die "RECONCILER_ENGINE_KIND '$kind' is none of docker20, docker26, docker28, podman5"
    need debian-archive-keyring
    mkdir -p "$trees"
    (
        flock 8
        [ ! -d "$tree" ] || exit 0
        say "fetching $kind from $(release) into $tree"
        case $kind in
            # The machine's own runc serves newer ones too: theirs wants a newer libc.
            docker20) fetch docker.io containerd runc ;;
            docker*) fetch docker.io containerd ;;
            podman*)
                need debootstrap
                bootstrap podman,crun,catatonit,netavark,aardvark-dns,iptables,nftables,iproute2,ca-certificates,tini
                ;;
        esac
    ) 8> "$trees/$kind.lock"
    case $kind in docker*) PATH=$tree/usr/sbin:$tree/usr/bin:$PATH ;; esac
}

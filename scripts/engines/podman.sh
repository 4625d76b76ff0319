# shellcheck shell=sh
# Podman's Docker-compatible API in place of dockerd, for scripts/engine. It runs in a root of its own; what the host
# has outside the directories of a system is there at the same path, so that bind mounts of tests mean the same.

# shellcheck disable=SC2154  # $dir, $tree and $socket are scripts/engine's
podman_settings() {
    # Podman asks for more open files and processes than root may have here, and fails.
    limits=$(sh -c 'ulimit -Hn')
    tasks=$(awk '/^Max processes/ {print $4}' /proc/self/limits)
    [ "$tasks" != unlimited ] || tasks=4194304
    cat > "$dir/containers.conf" <<SETTINGS
[containers]
default_ulimits = ["nofile=$limits:$limits", "nproc=$tasks:$tasks"]
SETTINGS
    # Docker trusts each registry on the loopback; Podman wants them named. Those of the tests have these ports.
    {
        echo 'unqualified-search-registries = ["docker.io"]'
        for port in $(seq 28500 28599); do
            printf '[[registry]]\nlocation = "127.0.0.1:%d"\ninsecure = true\n' "$port"
        done
    } > "$dir/registries.conf"
    export CONTAINERS_CONF_OVERRIDE="$dir/containers.conf" CONTAINERS_REGISTRIES_CONF="$dir/registries.conf"
    export PODMAN_IGNORE_CGROUPSV1_WARNING=1
}

inside_root() { # inside_root COMMAND...: build the root out of the tree and enter it
    root=$dir/root
    mount --make-rprivate /
    mkdir -p "$root" "$dir/over" "$dir/work"
    mount -t overlay -o "lowerdir=$tree,upperdir=$dir/over,workdir=$dir/work" overlay "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mkdir "$root/run/lock"
    if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
        mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
    else
        mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
        for hierarchy in /sys/fs/cgroup/*; do
            # crun refuses version 1 beside a mount of version 2.
            if mountpoint -q "$hierarchy" && [ "$(stat -f -c %T "$hierarchy")" != cgroup2fs ]; then
                mkdir "$root$hierarchy"
                mount --bind "$hierarchy" "$root$hierarchy"
            fi
        done
    fi
    for place in /* "$dir"; do
        case $place in
            /bin | /boot | /dev | /etc | /lib* | /lost+found | /proc | /run | /sbin | /sys | /usr | /var) continue ;;
        esac
        if [ -d "$place" ] && [ ! -L "$place" ]; then
            mkdir -p "$root$place"
            mount --bind "$place" "$root$place"
        fi
    done
    for file in /etc/resolv.conf /etc/hosts; do
        rm -f "$root$file"
        cat "$file" > "$root$file"
    done
    mkdir "$root/run/host"
    cd "$root" || exit
    pivot_root . run/host
    cd /
    umount -l /run/host
    mount --make-rshared /
    exec tini -- "$@"
}

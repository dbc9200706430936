# What ./build and ./remus share about Maven's build; they source this file. Expects root, the repository's directory.
# shellcheck shell=bash disable=SC2154

readonly MAVEN_LEAST=3.8.7

# Maven lives for seconds: the first compiler and the small collector save it a third of its processor time.
export MAVEN_OPTS=${MAVEN_OPTS:--XX:TieredStopAtLevel=1 -XX:+UseSerialGC}

# Fails, saying what to do, unless mvn is there and new enough.
need_maven() {
    local version
    if ! command -v mvn > /dev/null; then
        echo "Maven is missing. Run: sudo $root/scripts/setup   (or: sudo apt-get install maven)" >&2
        return 1
    fi
    version=$(mvn -B -q --version 2> /dev/null | sed 's/\x1b\[[0-9;]*m//g' | head -n 1)
    if [[ $(printf '%s\n' "$MAVEN_LEAST" "$version" | sort -V | head -n 1) != "$MAVEN_LEAST" ]]; then
        echo "Maven $version is too old, want at least $MAVEN_LEAST. Run: sudo apt-get install maven," >&2
        echo "or put a newer one from https://maven.apache.org/download.cgi first in PATH." >&2
        return 1
    fi
}

# True when target/ holds what the sources say. A file that was deleted shows in its directory's time.
is_built() {
    local built="$root/target/.built"
    [[ -f $built && -f $root/target/remus.jar && -d $root/target/lib ]] || return 1
    [[ -z $(find "$root/pom.xml" "$root/src/main" -newer "$built" -print -quit) ]]
}

# One build in this directory at a time: the lock is on pom.xml, which is always there and which no build removes.
lock_build() { exec 9< "$root/pom.xml"; flock 9; }
unlock_build() { exec 9<&-; }

# Around a build: the mark carries the time at which it began, so that a source changed meanwhile counts as newer.
begin_build() { mkdir -p "$root/target" && touch "$root/target/.began"; }
mark_built() { mv "$root/target/.began" "$root/target/.built"; }

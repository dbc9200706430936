# Finds a JDK for ./build and ./remus, which source this file; not a program of its own. Expects root, the
# repository's directory, for what is kept in there.
# shellcheck shell=bash disable=SC2154

readonly JDK_LEAST=25

# The JDK's feature version (25 for 25.0.3), or nothing if that directory holds none. Reads the release file, for
# starting a JVM to ask it would cost every command some 50 ms.
jdk_version() {
    local line
    [[ -x $1/bin/javac && -x $1/bin/java && -r $1/release ]] || return 0
    while IFS= read -r line; do
        if [[ $line =~ ^JAVA_VERSION=\"([0-9]+) ]]; then
            echo "${BASH_REMATCH[1]}"
            return
        fi
    done < "$1/release"
}

# Sets and exports JAVA_HOME: the one that is set, that of the javac in PATH, or the oldest that is new enough in
# /usr/lib/jvm, for that is the closest to what the project is tested with. Returns 1 after saying what to install.
find_jdk() {
    local candidate version best='' best_version='' on_path
    local -a candidates=()
    [[ -z ${JAVA_HOME:-} ]] || candidates+=("$JAVA_HOME")
    if on_path=$(command -v javac); then
        on_path=$(readlink -f "$on_path")
        candidates+=("${on_path%/bin/javac}")
    fi
    for candidate in "${candidates[@]}"; do
        version=$(jdk_version "$candidate")
        if ((${version:-0} >= JDK_LEAST)); then
            export JAVA_HOME=$candidate
            return 0
        fi
    done
    for candidate in /usr/lib/jvm/*; do
        [[ ! -L $candidate ]] || continue
        version=$(jdk_version "$candidate")
        ((${version:-0} >= JDK_LEAST)) || continue
        if [[ -z $best ]] || ((version < best_version)); then
            best=$candidate best_version=$version
        fi
    done
    if [[ -z $best ]]; then
        {
            echo "No JDK of at least $JDK_LEAST in JAVA_HOME, PATH or /usr/lib/jvm. Install one:"
            echo "  apt-get install openjdk-$JDK_LEAST-jdk-headless   where your Debian has it, or"
            echo "  temurin-$JDK_LEAST-jdk from https://adoptium.net/installation/linux,"
            echo "or set JAVA_HOME to one."
        } >&2
        return 1
    fi
    export JAVA_HOME=$best
}

# Where what is made for this JDK is kept: a file in target/, by the JDK's place and build. Packages replace a JDK by a newer
# one at the same place.
#   jdk_file NAME SUFFIX
jdk_file() {
    local line build=unknown
    while IFS= read -r line; do
        if [[ $line =~ ^JAVA_RUNTIME_VERSION=\"([^\"/]+)\" ]]; then
            build=${BASH_REMATCH[1]}
        fi
    done < "$JAVA_HOME/release"
    echo "$root/target/$1${JAVA_HOME//\//-}-$build.$2"
}

# The class cache of daemons, which scripts/class-cache makes, and the class archive of short commands, which ./remus makes.
class_cache() { jdk_file host aot; }
class_archive() { jdk_file remus jsa; }

# True when FILE was made for the JAR that is there.
#   is_fresh FILE JAR
is_fresh() { [[ -f $1 && $1 -nt $2 ]]; }

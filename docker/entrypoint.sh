#!/bin/sh
# What `docker run` starts: the arguments are snakemake's, the folder is the caller's, mounted at /work.
set -eu
project=/prefsweep

if [ $# -eq 0 ]; then
    cat "$project/docker/usage.txt"
    exit 0
fi
if ! [ -w . ]; then
    echo "prefsweep: $(pwd) cannot be written by user $(id -u)." >&2
    echo "  Mount a folder of yours and run as yourself: -v \"\$PWD:/work\" --user \"\$(id -u):\$(id -g)\"" >&2
    exit 2
fi
if ! [ -w "${PREFSWEEP_MODELS%/*}" ]; then
    echo "prefsweep: ${PREFSWEEP_MODELS%/*}, the folder of models and caches, cannot be written by user $(id -u)." >&2
    echo "  Use a named volume, or a folder of yours: -v prefsweep-cache:/cache" >&2
    exit 2
fi

# A study that is not in the caller's folder may be one of the image's own, such as config/demo.yaml.
for argument; do
    shift
    case $argument in
        config/*.yaml) [ -e "$argument" ] || argument=$project/$argument ;;
    esac
    set -- "$@" "$argument"
done
exec "$PREFSWEEP_ENVS/$PREFSWEEP_DEVICE/workflow/bin/snakemake" --snakefile "$project/Snakefile" "$@"

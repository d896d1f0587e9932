# shellcheck shell=bash
# For scripts that ask a server of their own: it runs on loopback, on ports that
# are free.  Source it, set `bin`, where the programs are, and say what is to
# happen when a script ends:  trap stop_server EXIT
: "${bin:?local_server.sh: bin is not set}"
server=  # its process id; empty: none runs
seconds_to_start=120

# start_server FOLDER MODEL OPTION...: waits until MODEL is served, or ends the
# script with the server's own words.  FOLDER gets its log and its ports.
# Exports SALIENCY_SERVER, which the client reads.
start_server() {
  local_server_folder=$1
  local model=$2
  shift 2
  mkdir -p "$local_server_folder"
  rm -f "$local_server_folder/ports"
  "$bin/saliency-server" --listen-address 127.0.0.1:0 \
    --metrics-address 127.0.0.1:0 --port-file "$local_server_folder/ports" \
    --drain-delay 0s "$@" >"$local_server_folder/server.log" 2>&1 &
  server=$!
  wait_until "open its ports" test -s "$local_server_folder/ports"
  SALIENCY_SERVER=127.0.0.1:$(sed -n 's/^grpc=//p' "$local_server_folder/ports")
  export SALIENCY_SERVER
  wait_until "load $model" model_is_ready "$model"
}

# Does nothing when none runs.
stop_server() {
  [[ $server ]] || return 0
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" || echo "the server ended with code $?" >&2
  server=
}

# Asks again until the command succeeds, while there is a server and time.
wait_until() {
  local what=$1
  shift
  local deadline=$((SECONDS + seconds_to_start))
  until "$@"; do
    kill -0 "$server" 2>/dev/null || server_failed "ended before it could $what"
    ((SECONDS < deadline)) ||
      server_failed "did not $what within $seconds_to_start s"
    sleep 0.05
  done
}

server_failed() {
  tail -n 20 "$local_server_folder/server.log" >&2
  echo "the server $*; its log: $local_server_folder/server.log" >&2
  exit 1
}

model_is_ready() {
  "$bin/saliency" health --model "$1" >/dev/null 2>&1 && return
  if "$bin/saliency" models "$1" --json 2>/dev/null |
    grep -q '"state":"failed"'; then
    server_failed "failed to load $1"
  fi
  return 1
}

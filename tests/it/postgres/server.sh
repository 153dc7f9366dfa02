# A PostgreSQL of one's own in the directory $1, for as long as somebody holds the other end of this
# script's standard input: however the tests end, it ends too. It says "ready" when it answers.
set -eu
place=$1
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
# PostgreSQL refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
  chown postgres "$place"
  as="setpriv --reuid=postgres --regid=postgres --init-groups"
fi
cd "$place"
end() {
  $as "$bin/pg_ctl" -s -D "$place/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$place"
}
trap end EXIT
trap '' INT TERM HUP
$as "$bin/initdb" -D "$place/data" -U calbridge -A trust -E UTF8 --locale=C --no-sync >"$place/initdb.log"
# Nothing of this outlives the tests, so nothing need be synced. That commits do not wait for the log
# either is what a store must not put up with.
start() {
  $as "$bin/pg_ctl" -s -w -D "$place/data" -l "$place/server.log" -o "-k '$place' -c listen_addresses='' \
    -c max_connections=300 -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB" start \
    </dev/null >/dev/null
}
start
echo ready
while read -r word; do
  case $word in
    stop) $as "$bin/pg_ctl" -s -D "$place/data" -m immediate stop ;;
    start) start ;;
  esac
  echo ready
done

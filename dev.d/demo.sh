# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Real jobs through a real gearmand, Driveshaft and a PHP endpoint, all private: on free loopback ports, with every
# file in a temporary folder, and gone at the end however it comes.

demo_workers=8

run_demo() {
  need build demo
  step build-release 'build release' build_preset release driveshaft

  demo_dir=$(mktemp -d)
  temporary+=("$demo_dir")
  local gearmand_port endpoint_port exporter_port
  read -r gearmand_port endpoint_port exporter_port < <(free_ports 3)
  exporter=127.0.0.1:$exporter_port
  start_servers "$gearmand_port" "$endpoint_port"

  printf '\n$ php examples/client.php 127.0.0.1:%s\n' "$gearmand_port"
  php examples/client.php "127.0.0.1:$gearmand_port" || demo_failed 'client.php'

  printf '\n$ gearman -h 127.0.0.1 -p %s -f Reverse "gearman command line"\n' "$gearmand_port"
  timeout 30 gearman -h 127.0.0.1 -p "$gearmand_port" -f Reverse 'gearman command line' || demo_failed 'gearman'

  printf '\n\n$ php examples/client.php 127.0.0.1:%s burst 2000\n' "$gearmand_port"
  local burst
  burst=$(php examples/client.php "127.0.0.1:$gearmand_port" burst 2000) || demo_failed 'client.php burst'
  printf '%s\n' "$burst"
  summarize "$burst"
}

start_servers() { # GEARMAND_PORT ENDPOINT_PORT
  demo_server gearmand "$GEARMAND" --listen 127.0.0.1 --port "$1" --log-file stderr
  wait_for_port "$1" gearmand

  # PHP's own server has one process a request in progress; its workers and our slots are as many.
  PHP_CLI_SERVER_WORKERS=$demo_workers demo_server endpoint php -S "127.0.0.1:$2" examples/job.php
  wait_for_port "$2" endpoint

  cat >"$demo_dir/jobs.json" <<EOF
{
    "gearman_servers_list": ["127.0.0.1:$1"],
    "pools_list": {
        "Demo": {
            "job_processing_uri": "http://127.0.0.1:$2/job.php",
            "worker_count": $demo_workers,
            "jobs_list": ["Sum", "Reverse", "Divide"]
        }
    }
}
EOF
  demo_server driveshaft build/release/driveshaft --jobsconfig "$demo_dir/jobs.json" --exporter_addr "$exporter"
  wait_until 'driveshaft to be ready' driveshaft http_ok /readyz

  printf '\ngearmand    127.0.0.1:%s\nendpoint    http://127.0.0.1:%s/job.php, which is examples/job.php\n' "$1" "$2"
  printf 'driveshaft  %s slots, metrics at http://%s/metrics\n' "$demo_workers" "$exporter"
}

demo_server() { # NAME COMMAND …
  local name=$1
  shift
  spawn "$demo_dir/$name.log" "$@"
  printf -v "${name}_pid" %s "${spawned:?}"
}

# wait_until WHAT SERVER COMMAND … : fails when the server dies first, or after 10 s.
wait_until() {
  local what=$1 server=$2 pid=${2}_pid deadline=$((SECONDS + 10))
  shift 2
  while ((SECONDS <= deadline)); do
    "$@" && return
    kill -0 "${!pid}" 2>/dev/null || break
    sleep 0.02
  done
  echo "waited in vain for $what" >&2
  demo_failed "$server"
}

wait_for_port() { wait_until "$2 to listen on 127.0.0.1:$1" "$2" accepts "$1"; }

accepts() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Ports that the kernel picked and nobody holds now.
free_ports() {
  php -r 'for ($i = 0; $i < $argv[1]; ++$i) {
    $held[] = $socket = stream_socket_server("tcp://127.0.0.1:0");
    echo preg_replace("/.*:/", "", stream_socket_get_name($socket, false)), $i + 1 < $argv[1] ? " " : "\n";
  }' "$1"
}

http_get() { # PATH : a whole answer from driveshaft's exporter
  php -r '$answer = @file_get_contents($argv[1]); if ($answer === false) exit(1); echo $answer;' "http://$exporter$1"
}
http_ok() { http_get "$1" >/dev/null; }

# Adds up what Driveshaft says of itself; the rate is the burst's.
summarize() { # WHAT_THE_BURST_SAID
  local rate='?'
  [[ $1 =~ ([0-9,]+)\ jobs/s ]] && rate=${BASH_REMATCH[1]}
  # From client.php 2 + 20, from gearman 1, from the burst 2,000; and the division by zero.
  wait_until '2,023 successes and 1 failure in /metrics' driveshaft jobs_add_up 2023 1
  printf '\n2,023 jobs succeeded, 1 failed as it was meant to, %s jobs/s in the burst\n' "$rate"
}

jobs_add_up() { # SUCCEEDED FAILED
  local sums
  # Lines such as: driveshaft_jobs{function="Sum",outcome="complete",pool="Demo"} 2021
  sums=$(http_get /metrics | awk '/^driveshaft_jobs\{/ { sum[/outcome="complete"/] += $NF }
    END { print sum[1] + 0, sum[0] + 0 }') && [ "$sums" = "$1 $2" ]
}

demo_failed() {
  local log
  printf '\nthe demo failed: %s\n' "$1" >&2
  for log in "$demo_dir"/*.log; do
    printf -- '--- the end of %s\n' "$(basename "$log")" >&2
    tail -n 20 "$log" >&2
  done
  exit 1
}

#!/bin/sh
# Asks a running server with curl: ask.sh PICTURE MODEL [REST_URL METRICS_URL]
set -eu
picture=$1 model=$2 url=${3:-http://localhost:8000} metrics=${4:-http://localhost:8002}

ask() {
  curl --silent --show-error --fail-with-body ${LCQ_API_KEY:+--header "x-api-key: $LCQ_API_KEY"} "$@"
}

ask --write-out "\n" "$url/v2/health/ready"

# The file as it is: the server tells JPEG, PNG and WebP apart by their bytes.
ask --data-binary "@$picture" --header 'content-type: application/octet-stream' \
  "$url/v1/models/$model:classify?topK=1"
echo

# A tensor, as JSON: one grey picture for the model's input, {"name":...,"datatype":...,"shape":[-1,...]}.
input=$(ask "$url/v2/models/$model" | sed 's/.*"inputs":\[\([^}]*\)}.*/\1/; s/-1/1/')
size=$(echo "$input" | sed 's/.*\[\(.*\)\].*/\1/; s/,/*/g')
grey=$(yes 128 | head -n $(($size)) | paste -s -d , -)
echo "{\"inputs\":[$input,\"data\":[$grey]}]}" |
  ask --data @- --header 'content-type: application/json' "$url/v2/models/$model/infer"
echo

ask "$metrics/metrics" | grep '^lcq_requests_total'

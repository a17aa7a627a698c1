{{/*
The alerts as a list. What to do about each is in docs/operations.md, "Alerts", in more words than the annotation `runbook`.
$m selects this release's series; a pod's own label is `pod`, which Prometheus adds. A counter with a label has no series
before its first event: `increase` sees no rise from nothing to 1, `x unless x offset` does.
*/}}
{{- define "lcq-serving.alerts" -}}
{{- $m := include "lcq-serving.matchers" . }}
{{- $t := .Values.prometheusRule.thresholds }}
{{- $capacity := default 256 .Values.config.queueCapacity }}
- alert: LcqServingDown
  expr: absent(lcq_build_info{ {{- $m }}})
  for: 2m
  labels: { severity: critical }
  annotations:
    summary: No server of {{ .Release.Namespace }}/{{ include "lcq-serving.fullname" . }} is scraped
    runbook: kubectl get pods; when they run, compare the ServiceMonitor's labels and the network policy's metrics peers.
- alert: LcqServingNotReady
  expr: lcq_server_ready{ {{- $m }}} == 0
  for: 5m
  labels: { severity: critical }
  annotations:
    summary: {{ `{{ $labels.pod }} has not been ready for 5 minutes` | quote }}
    runbook: The pod's log names the model that does not load, or the drain that does not end.
- alert: LcqServingModelNotReady
  expr: max by (namespace, pod, model) (lcq_model_state{ {{- $m }},state="READY"}) == 0
  for: 5m
  labels: { severity: critical }
  annotations:
    summary: {{ `No version of {{ $labels.model }} is ready on {{ $labels.pod }}` | quote }}
    runbook: POST /v2/repository/index on that pod gives the reason of each version.
- alert: LcqServingModelLoadFailed
  expr: >-
    increase(lcq_model_load_failures_total{ {{- $m }}}[30m]) > 0
    or (lcq_model_load_failures_total{ {{- $m }}} unless lcq_model_load_failures_total{ {{- $m }}} offset 30m) > 0
  labels: { severity: warning }
  annotations:
    summary: {{ `A load of {{ $labels.model }} failed on {{ $labels.pod }} ({{ $labels.code }}); what answered before still does` | quote }}
    runbook: POST /v2/repository/index gives the reason. Correct the content; it is tried again once it has changed.
- alert: LcqServingHighErrorRate
  expr: >-
    sum by (namespace, model) (rate(lcq_requests_total{ {{- $m }},code=~"INTERNAL|UNAVAILABLE"}[5m]))
    / sum by (namespace, model) (rate(lcq_requests_total{ {{- $m }}}[5m])) > {{ $t.errorRatio }}
  for: 5m
  labels: { severity: critical }
  annotations:
    summary: {{ `{{ $value | humanizePercentage }} of the requests for {{ $labels.model }} fail by our fault` | quote }}
    runbook: UNAVAILABLE comes with worker crashes, drains and models that are not ready; INTERNAL has a stack in the log.
- alert: LcqServingRefusing
  expr: >-
    sum by (namespace, model) (rate(lcq_requests_total{ {{- $m }},code=~"RESOURCE_EXHAUSTED|DEADLINE_EXCEEDED"}[5m]))
    / sum by (namespace, model) (rate(lcq_requests_total{ {{- $m }}}[5m])) > {{ $t.refusedRatio }}
  for: 5m
  labels: { severity: warning }
  annotations:
    summary: {{ `{{ $value | humanizePercentage }} of the requests for {{ $labels.model }} are refused or come too late` | quote }}
    runbook: More load than pods. Raise maxReplicas or add nodes; with a rateLimit look whether one client is the cause.
- alert: LcqServingHighLatency
  expr: >-
    histogram_quantile(0.99, sum by (namespace, model, le)
    (rate(lcq_request_duration_seconds_bucket{ {{- $m }}}[5m]))) > {{ $t.p99Seconds }}
  for: 10m
  labels: { severity: warning }
  annotations:
    summary: {{ `p99 of {{ $labels.model }} is {{ $value | humanizeDuration }}` | quote }}
    runbook: The dashboard's phases say where the time goes; queue means scale out, infer CPU throttling or a larger batch.
- alert: LcqServingQueueSaturated
  expr: max by (namespace, pod, model) (lcq_queue_depth{ {{- $m }}}) > {{ mulf $t.queueFill $capacity | floor }}
  for: 2m
  labels: { severity: warning }
  annotations:
    summary: {{ printf "%s of %v places" "{{ $labels.pod }} has {{ $value }} requests waiting for {{ $labels.model }}," $capacity | quote }}
    runbook: As LcqServingRefusing, which comes next. When only one pod is full, clients do not balance (gRPC).
- alert: LcqServingWorkerCrashed
  expr: >-
    increase(lcq_worker_crashes_total{ {{- $m }}}[15m]) > 0
    or (lcq_worker_crashes_total{ {{- $m }}} unless lcq_worker_crashes_total{ {{- $m }}} offset 15m) > 0
  labels: { severity: warning }
  annotations:
    summary: {{ `A worker process of {{ $labels.pod }} ended ({{ $labels.reason }})` | quote }}
    runbook: SIGKILL is the out-of-memory killer or workerTimeoutMs; SIGSEGV and SIGILL are defects, the log names the model.
- alert: LcqServingWorkerCrashLoop
  expr: sum by (namespace, pod) (increase(lcq_worker_crashes_total{ {{- $m }}}[10m])) > 3
  labels: { severity: critical }
  annotations:
    summary: {{ `Worker processes of {{ $labels.pod }} end again and again` | quote }}
    runbook: Roll back what was changed last, model or image; if it is memory, raise resources.limits.memory.
- alert: LcqServingNearMemoryLimit
  expr: >-
    (process_resident_memory_bytes{ {{- $m }}} + lcq_workers_resident_memory_bytes{ {{- $m }}})
    / lcq_memory_limit_bytes{ {{- $m }}} > {{ $t.memoryFill }}
  for: 5m
  labels: { severity: warning }
  annotations:
    summary: {{ `{{ $labels.pod }} uses {{ $value | humanizePercentage }} of its memory` | quote }}
    runbook: Raise resources.limits.memory, or lower queueCapacity, maxBodyBytes or the number of models.
- alert: LcqServingEventLoopBlocked
  expr: nodejs_eventloop_lag_p99_seconds{ {{- $m }}} > 0.1
  for: 5m
  labels: { severity: warning }
  annotations:
    summary: {{ `The event loop of {{ $labels.pod }} lags by {{ $value | humanizeDuration }}` | quote }}
    runbook: Too much JSON or TLS for one process. Scale out; have clients send binary tensors or pictures.
- alert: LcqServingCertificateExpiring
  expr: >-
    min by (namespace) (lcq_tls_certificate_expiry_timestamp_seconds{ {{- $m }}}) - time()
    < {{ mul $t.certificateDays 86400 }}
  for: 1h
  labels: { severity: warning }
  annotations:
    summary: {{ `The certificate in use ends in {{ $value | humanizeDuration }}` | quote }}
    runbook: Renew the secret; servers take it without a restart. If it is new already, the log says why it was refused.
- alert: LcqServingNoTraffic
  expr: sum by (namespace) (rate(lcq_requests_total{ {{- $m }}}[15m])) == 0
  for: 15m
  labels: { severity: warning }
  annotations:
    summary: No request has arrived for 15 minutes
    runbook: Look at what stands before the service, DNS, ingress, network policy, and at the clients.
{{- end }}

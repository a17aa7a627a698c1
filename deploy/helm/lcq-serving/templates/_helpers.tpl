{{- define "lcq-serving.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 54 characters, so that -headless fits. */}}
{{- define "lcq-serving.fullname" -}}
{{- $name := include "lcq-serving.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 54 | trimSuffix "-" }}
{{- end }}

{{- define "lcq-serving.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lcq-serving.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lcq-serving.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "lcq-serving.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "lcq-serving.serviceAccountName" -}}
{{- $default := ternary (include "lcq-serving.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $default .Values.serviceAccount.name }}
{{- end }}

{{- define "lcq-serving.image" -}}
{{- $tag := printf ":%s" (default .Chart.AppVersion .Values.image.tag) }}
{{- $digest := printf "@%s" .Values.image.digest }}
{{- .Values.image.repository }}{{ ternary $tag $digest (empty .Values.image.digest) }}
{{- end }}

{{/* After SIGTERM: the drain delay, the drain itself, and time to leave. */}}
{{- define "lcq-serving.gracePeriodSeconds" -}}
{{- $milliseconds := addf (default 0 .Values.config.drainDelayMs) (default 10000 .Values.config.drainTimeoutMs) }}
{{- add (ceil (divf $milliseconds 1000) | int) 5 }}
{{- end }}

{{/* An action of each probe. Under mutual TLS the kubelet has no certificate to show: it asks the metrics port. */}}
{{- define "lcq-serving.probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ ternary "http" "metrics" (empty .Values.tls.clientCaSecretName) }}
  {{- if and .Values.tls.secretName (not .Values.tls.clientCaSecretName) }}
  scheme: HTTPS
  {{- end }}
{{- end }}

{{/* Matchers of this release's series, as the ServiceMonitor labels them. */}}
{{- define "lcq-serving.matchers" -}}
namespace="{{ .Release.Namespace }}",job="{{ include "lcq-serving.fullname" . }}-metrics"
{{- end }}

{{/* Up at once, at most to the double; down slowly, since the queue is empty as soon as there are enough pods. */}}
{{- define "lcq-serving.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - type: Percent
      value: 100
      periodSeconds: 30
    - type: Pods
      value: 2
      periodSeconds: 30
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownStabilizationSeconds }}
  policies:
    - type: Percent
      value: 25
      periodSeconds: 60
{{- end }}

{{/* A setting maxQueueDelayMs is the variable LCQ_MAX_QUEUE_DELAY_MS. */}}
{{- define "lcq-serving.environment" -}}
{{- range $name, $value := .Values.config }}
{{- /* Numbers of a file are floats to Helm, and large ones would be written with an exponent. */}}
{{- $isWhole := and (kindIs "float64" $value) (eq (toString (floor $value)) (toString $value)) }}
- name: LCQ_{{ regexReplaceAll "([A-Z])" $name "_${1}" | upper }}
  value: {{ $isWhole | ternary (int64 $value) $value | quote }}
{{- end }}
{{- if ne .Values.models.source "embedded" }}
- name: LCQ_MODEL_REPOSITORY
  value: /models
{{- end }}
{{- with .Values.tls.secretName }}
- name: LCQ_TLS_CERT
  value: /etc/lcq/tls/tls.crt
- name: LCQ_TLS_KEY
  value: /etc/lcq/tls/tls.key
{{- end }}
{{- with .Values.tls.clientCaSecretName }}
- name: LCQ_TLS_CLIENT_CA
  value: /etc/lcq/client-ca/ca.crt
{{- end }}
{{- with .Values.apiKeys.secretName }}
- name: LCQ_API_KEYS
  value: /etc/lcq/api-keys/keys.json
{{- end }}
{{- end }}

{{- define "lcq-serving.mounts" -}}
{{- if ne .Values.models.source "embedded" }}
- name: models
  mountPath: /models
  readOnly: true
  {{- with .Values.models.persistentVolumeClaim.subPath }}
  {{- if eq $.Values.models.source "persistentVolumeClaim" }}
  subPath: {{ . }}
  {{- end }}
  {{- end }}
{{- end }}
{{- if .Values.tls.secretName }}
- name: tls
  mountPath: /etc/lcq/tls
  readOnly: true
{{- end }}
{{- if .Values.tls.clientCaSecretName }}
- name: client-ca
  mountPath: /etc/lcq/client-ca
  readOnly: true
{{- end }}
{{- if .Values.apiKeys.secretName }}
- name: api-keys
  mountPath: /etc/lcq/api-keys
  readOnly: true
{{- end }}
{{- end }}

{{- define "lcq-serving.volumes" -}}
{{- with .Values.models }}
{{- if eq .source "imageVolume" }}
- name: models
  image:
    reference: {{ required "models.imageVolume.reference is needed" .imageVolume.reference }}
    pullPolicy: {{ .imageVolume.pullPolicy }}
{{- else if eq .source "persistentVolumeClaim" }}
- name: models
  persistentVolumeClaim:
    claimName: {{ required "models.persistentVolumeClaim.claimName is needed" .persistentVolumeClaim.claimName }}
    readOnly: true
{{- else if eq .source "bucket" }}
- name: models
  emptyDir:
    sizeLimit: {{ .bucket.sizeLimit }}
{{- end }}
{{- end }}
{{- with .Values.tls.secretName }}
- name: tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.tls.clientCaSecretName }}
- name: client-ca
  secret:
    secretName: {{ . }}
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- with .Values.apiKeys.secretName }}
- name: api-keys
  secret:
    secretName: {{ . }}
    items:
      - key: keys.json
        path: keys.json
{{- end }}
{{- end }}

{{/* Copies the model repository; rclone is configured by variables alone and writes nothing else. */}}
{{- define "lcq-serving.bucketContainer" -}}
{{- $bucket := .Values.models.bucket }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.egress) }}
{{- fail "models.source bucket: networkPolicy.egress must let the init container reach the storage" }}
{{- end }}
- name: models
  image: {{ $bucket.image }}
  args: [sync, "models:{{ required "models.bucket.path is needed" $bucket.path }}", /models, --config=, --verbose]
  env:
    - name: RCLONE_CONFIG_MODELS_TYPE
      value: s3
    - name: RCLONE_CONFIG_MODELS_PROVIDER
      value: {{ $bucket.provider }}
    {{- with $bucket.endpoint }}
    - name: RCLONE_CONFIG_MODELS_ENDPOINT
      value: {{ . }}
    {{- end }}
    {{- with $bucket.region }}
    - name: RCLONE_CONFIG_MODELS_REGION
      value: {{ . }}
    {{- end }}
    {{- if $bucket.credentialsSecret }}
    - name: RCLONE_CONFIG_MODELS_ACCESS_KEY_ID
      valueFrom:
        secretKeyRef:
          name: {{ $bucket.credentialsSecret }}
          key: access-key-id
    - name: RCLONE_CONFIG_MODELS_SECRET_ACCESS_KEY
      valueFrom:
        secretKeyRef:
          name: {{ $bucket.credentialsSecret }}
          key: secret-access-key
    {{- else }}
    - name: RCLONE_CONFIG_MODELS_ENV_AUTH
      value: "true"
    {{- end }}
  resources:
    {{- toYaml $bucket.resources | nindent 4 }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: models
      mountPath: /models
{{- end }}

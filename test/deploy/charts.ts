/**
 * Renders the chart with every example and holds the result to the real API types, to itself and to what a running server
 * exposes: `npm run test:deploy`. Needs Go, by which Helm and the checking program are compiled; without it nothing is
 * checked, and that is said.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ERROR_CODES } from '../../src/errors.js';
import { exposedMetrics } from './exposed-metrics.js';
import { type GoTools, goTools, type Outcome, root } from './go-tools.js';

const chart = join(root, 'deploy', 'helm', 'lcq-serving');
const examples = readdirSync(join(chart, 'examples')).sort();
/** Values files by what they are called here; the first is none. */
const valueSets = new Map<string, readonly string[]>([
  ['default', []],
  ...examples.map((name) => [name, ['-f', join(chart, 'examples', name)]] as const),
]);
/** A Helm that is compiled here takes itself for one of an old Kubernetes. */
const TEMPLATE = [
  ...['template', 'vision', chart, '--namespace', 'models'],
  ...['--kube-version', '1.33.0'],
];
const tools = goTools();

describe('the chart', { skip: tools ? false : 'no Go, or no modules: nothing was checked' }, () => {
  const { helm, check } = tools as GoTools;
  let folder = '';
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lcq-deploy-'));
    writeFileSync(join(folder, 'metrics.txt'), await exposedMetrics());
  });
  after(() => rmSync(folder, { recursive: true }));

  const render = (args: readonly string[]): string => {
    const { ok, output } = helm([...TEMPLATE, ...args]);
    assert.ok(ok, output);
    return output;
  };

  /** Checks manifests, given by name, as they are. */
  const inspect = (manifests: ReadonlyMap<string, string>, adapter?: string): Outcome => {
    const inputs = mkdtempSync(join(folder, 'manifests-'));
    const files = [...manifests].map(([name, text]) => {
      writeFileSync(join(inputs, name), text);
      return join(inputs, name);
    });
    return check([
      `-metrics=${join(folder, 'metrics.txt')}`,
      `-codes=${['OK', ...Object.keys(ERROR_CODES)]}`,
      `-docs=${join(root, 'docs', 'operations.md')}`,
      `-adapter=${adapter ?? join(root, 'deploy', 'prometheus-adapter.yaml')}`,
      ...files,
    ]);
  };

  test('passes helm lint with every example', () => {
    for (const args of valueSets.values()) {
      const { ok, output } = helm(['lint', '--strict', '--kube-version', '1.33.0', chart, ...args]);
      assert.ok(ok, output);
    }
  });

  test('renders objects without a schema error, an unknown metric or a loose end', (context) => {
    const manifests = new Map([...valueSets].map(([name, args]) => [name, render(args)]));
    const { ok, output } = inspect(manifests);
    context.diagnostic(output.trim().split('\n').at(-1) ?? '');
    assert.ok(ok, output);
  });

  const monitored = ['-f', join(chart, 'examples', 'monitoring.yaml')];
  const scaled = ['-f', join(chart, 'examples', 'hpa.yaml')];

  /** What is put wrong: values to render with, what is replaced by what, and what the check must say. */
  const plants: readonly (readonly [readonly string[], string | RegExp, string, RegExp])[] = [
    [[], 'revisionHistoryLimit:', 'revisionHistory:', /unknown field "spec.revisionHistory"/],
    [[], 'periodSeconds:', 'PeriodSeconds:', /unknown field ".*PeriodSeconds"/],
    [[], 'maxUnavailable: 0', 'maxUnavailable: [0]', /Deployment.*cannot unmarshal/],
    [[], 'kind: NetworkPolicy', 'kind: NetPolicy', /no type for networking.k8s.io\/v1 NetPolicy/],
    [monitored, 'scrapeTimeout:', 'timeout:', /unknown field "spec.endpoints\[0\].timeout"/],
    [monitored, 'lcq_server_ready{', 'lcq_server_up{', /unknown metric lcq_server_up/],
    [monitored, 'state="READY"', 'status="READY"', /lcq_model_state has no label status/],
    [monitored, 'state="READY"', 'state="UP"', /lcq_model_state never has state="UP"/],
    [monitored, 'INTERNAL|UNAVAILABLE', 'INTERNAL|BROKEN', /never has code="BROKEN"/],
    [monitored, 'by (phase, le)', 'by (stage, le)', /no label stage to group by/],
    [monitored, 'absent(', 'absent((', /parse error/],
    [monitored, /offset\s+15m/, 'offset 1m', /WorkerCrashed: for a series.*fires: false/],
    [monitored, 'severity: critical', 'severity: loud', /LcqServingDown has no severity/],
    [monitored, 'alert: LcqServingDown', 'alert: LcqServingAway', /no heading LcqServingAway/],
    [[], 'path: /v2/health/live', 'path: /healthz', /liveness probe asks no endpoint/],
    [[], 'targetPort: grpc', 'targetPort: grcp', /has no port grcp/],
    [
      [],
      /terminationGracePeriodSeconds: \d+/,
      'terminationGracePeriodSeconds: 20',
      /grace period of 20 s/,
    ],
    [[], 'maxUnavailable: 0', 'maxUnavailable: 1', /takes pods away/],
    [[], 'readOnlyRootFilesystem: true', 'readOnlyRootFilesystem: false', /not locked down/],
    [scaled, 'name: lcq_queue_seconds', 'name: lcq_queue_time', /no rule for lcq_queue_time/],
    [
      scaled,
      'kind: Deployment\n    name: vision',
      'kind: Deployment\n    name: vison',
      /target does not exist/,
    ],
  ];

  test('a mistake that is planted is found', () => {
    for (const [args, search, replacement, expected] of plants) {
      const manifest = render(args);
      const planted = manifest.replace(search, replacement);
      assert.notEqual(planted, manifest, `${search} is not there`);
      const { ok, output } = inspect(new Map([['planted', planted]]));
      assert.equal(ok, false, `${search} -> ${replacement}: not found`);
      assert.match(output, expected);
    }
  });

  test('a mistake in the rules of prometheus-adapter is found', () => {
    const rules = readFileSync(join(root, 'deploy', 'prometheus-adapter.yaml'), 'utf8');
    const adapter = join(folder, 'adapter.yaml');
    for (const [search, replacement] of [
      ['phase="queue"', 'part="queue"'],
      ['metricsQuery', 'metricQuery'],
      ['seconds_sum{<<', 'seconds_total{<<'],
    ]) {
      writeFileSync(adapter, rules.replace(search, replacement));
      const { ok } = inspect(new Map([['default', render([])]]), adapter);
      assert.equal(ok, false, `${search} -> ${replacement}`);
    }
  });

  test('wrong values are refused, and say which', () => {
    for (const [setting, expected] of [
      ['replicaCount=3', /replicaCount/],
      ['config.maxQueueDelay=5', /maxQueueDelay/],
      ['config.logLevel=loud', /logLevel/],
      ['config.httpPort=80', /httpPort/],
      ['replicas=two', /replicas/],
      ['autoscaling.mode=auto', /mode/],
      ['models.source=s3', /source/],
      ['image.digest=sha256:12', /digest/],
      ['tls.clientCaSecretName=ca', /secretName/],
      ['prometheusRule.thresholds.errorRatio=5', /errorRatio/],
      ['models.source=imageVolume', /models.imageVolume.reference is needed/],
      ['models.source=persistentVolumeClaim', /claimName is needed/],
      ['models.source=bucket', /networkPolicy.egress must let/],
      ['autoscaling.mode=keda', /serverAddress is needed/],
    ] as const) {
      const { ok, output } = helm([...TEMPLATE, '--set', setting]);
      assert.equal(ok, false, `${setting} was accepted`);
      assert.match(output, expected);
    }
  });
});

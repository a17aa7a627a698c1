import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CONFIG_FIELDS, configSchema } from '../../src/config/schema.js';

const file = new URL('../../../deploy/helm/lcq-serving/values.schema.json', import.meta.url);
const { config } = JSON.parse(readFileSync(file, 'utf8')).properties;

/** Set by the chart itself, from values of other names. */
const OF_THE_CHART = [
  ...['host', 'httpPort', 'grpcPort', 'metricsPort', 'modelRepository'],
  ...['tlsCert', 'tlsKey', 'tlsClientCa', 'apiKeys'],
];

test("the chart's schema has every setting of the server, of the right type", () => {
  const settings = CONFIG_FIELDS.filter(({ field }) => !OF_THE_CHART.includes(field));
  assert.deepEqual(
    Object.keys(config.properties).sort(),
    settings.map(({ field }) => field).sort(),
  );
  for (const { field, defaultValue } of settings) {
    const { type = 'string', enum: choices, minimum } = config.properties[field];
    assert.equal(type === 'integer' ? 'number' : type, typeof defaultValue, field);
    for (const choice of choices ?? []) configSchema.shape[field].parse(choice);
    if (minimum === undefined) continue;
    configSchema.shape[field].parse(minimum);
    assert.equal(configSchema.shape[field].safeParse(minimum - 1).success, false, field);
  }
});

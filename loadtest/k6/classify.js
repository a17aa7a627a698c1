/**
 * Pictures over REST at a constant rate of arrivals, with k6:
 *   k6 run -e PICTURE=ship.jpg -e RATE=100 loadtest/k6/classify.js
 * An open model too, but k6 counts a request from when it was sent, not from when it was due: see dropped_iterations.
 */
import { check } from 'k6';
import http from 'k6/http';

const {
  TARGET = 'http://127.0.0.1:8000',
  MODEL = 'resnet20-cifar10-w2a2',
  PICTURE,
  RATE = '100',
  DURATION = '30s',
} = __ENV;
// k6 resolves it against this file, not against the working directory.
const picture = open(PICTURE, 'b');

export const options = {
  scenarios: {
    pictures: {
      executor: 'constant-arrival-rate',
      rate: Number(RATE),
      timeUnit: '1s',
      duration: DURATION,
      preAllocatedVUs: 64,
      maxVUs: 1024,
    },
  },
  thresholds: { http_req_duration: ['p(99)<50'], http_req_failed: ['rate<0.001'] },
  summaryTrendStats: ['med', 'p(90)', 'p(99)', 'p(99.9)', 'max'],
};

export default function classify() {
  const headers = { 'content-type': 'image/jpeg' };
  const reply = http.post(`${TARGET}/v1/models/${MODEL}:classify`, picture, { headers });
  check(reply, { 'has predictions': (r) => r.status === 200 && r.json('predictions.0.label') });
}

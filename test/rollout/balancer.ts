import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ports } from '../../src/main.js';

/** Where callers go. */
export interface Doors {
  readonly rest: number;
  /** Each call goes to the server that has the fewest: as a service mesh does it. */
  readonly grpc: number;
  /** Each connection goes to a server and stays: as a Service of Kubernetes does it. */
  readonly grpcConnections: number;
  readonly statistics: number;
}

/** What the balancer knows of one server behind one door. */
export interface ServerStatistics {
  readonly door: string;
  readonly server: string;
  readonly isUp: boolean;
  /** Requests, or connections, that it was given. */
  readonly total: number;
}

const STATUS_POLL_MS = 100;
/** A start takes a second, or minutes on a machine that has others to serve. */
const STATUS_TIMEOUT_MS = 300_000;

/**
 * The probe is the chart's readiness probe. One failure takes a server out, and nothing is sent a second time: a request
 * that a stopping server lost is a failure that the caller sees.
 */
function configuration(doors: Doors, servers: readonly Ports[], probePeriodMs: number): string {
  const each = (line: (ports: Ports, name: string) => string) =>
    servers.map((ports, i) => `  server s${i} 127.0.0.1:${line(ports, `s${i}`)}`).join('\n');
  return `global
  maxconn 4000
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout check ${probePeriodMs}ms
  retries 0
  no option redispatch
  balance leastconn
listen rest
  mode http
  bind 127.0.0.1:${doors.rest}
  retry-on none
  option httpchk GET /v2/health/ready
  default-server check inter ${probePeriodMs}ms fall 1 rise 1
${each(({ http }) => String(http))}
listen grpc
  mode http
  bind 127.0.0.1:${doors.grpc} proto h2
  retry-on none
${each(({ grpc }, name) => `${grpc} proto h2 track rest/${name}`)}
listen grpcConnections
  mode tcp
  bind 127.0.0.1:${doors.grpcConnections}
${each(({ grpc }, name) => `${grpc} track rest/${name}`)}
listen statistics
  mode http
  bind 127.0.0.1:${doors.statistics}
  stats enable
  stats uri /
`;
}

/** HAProxy in front of servers that come and go; it ends with this process. */
export class Balancer {
  readonly #doors: Doors;

  /** Rejects when HAProxy is not there. */
  static async start(
    folder: string,
    doors: Doors,
    servers: readonly Ports[],
    probePeriodMs: number,
  ): Promise<Balancer> {
    const path = join(folder, 'haproxy.cfg');
    await writeFile(path, configuration(doors, servers, probePeriodMs));
    const child = spawn('haproxy', ['-db', '-q', '-f', path], { stdio: 'inherit' });
    await once(child, 'spawn');
    process.once('exit', () => child.kill('SIGKILL'));
    return new Balancer(doors);
  }

  private constructor(doors: Doors) {
    this.#doors = doors;
  }

  /** By door, then by server. */
  async statistics(): Promise<ServerStatistics[]> {
    const csv = await (await fetch(`http://127.0.0.1:${this.#doors.statistics}/;csv`)).text();
    const [head, ...lines] = csv.replace(/^# /, '').trim().split('\n');
    const columns = head.split(',');
    const rows = lines.map((line) => line.split(','));
    const of = (row: string[], column: string) => row[columns.indexOf(column)];
    return rows
      .filter((row) => /^s\d+$/.test(of(row, 'svname')))
      .map((row) => ({
        door: of(row, 'pxname'),
        server: of(row, 'svname'),
        isUp: of(row, 'status').startsWith('UP'),
        total: Number(of(row, 'stot')),
      }));
  }

  /** Resolves when exactly these servers are sent requests. */
  async sees(...up: readonly number[]): Promise<void> {
    const expected = up.map((i) => `s${i}`).join();
    const deadline = performance.now() + STATUS_TIMEOUT_MS;
    let seen: string | undefined;
    while (seen !== expected) {
      if (performance.now() > deadline) throw new Error(`up: ${seen}, expected: ${expected}`);
      await sleep(STATUS_POLL_MS);
      const statistics = await this.statistics().catch(() => []);
      const rest = statistics.filter(({ door, isUp }) => door === 'rest' && isUp);
      seen = rest.map(({ server }) => server).join();
    }
  }
}

import { PARTS, type Timing } from './api.js';
import { digits, html, svg } from './elements.js';

/** A time split into its parts, drawn to scale: `full` is the time, in ms, of the whole width. */
export function latencyBar({ parts, total }: Timing, full: number): SVGSVGElement {
  const words = PARTS.map((part) => `${part} ${digits(parts[part], 2)} ms`).join(', ');
  const label = `${digits(total, 2)} ms: ${words}`;
  const bar = svg('svg', { class: 'latency', role: 'img', 'aria-label': label });
  let at = 0;
  for (const part of PARTS) {
    const share = (100 * parts[part]) / full;
    bar.append(svg('rect', { class: part, x: `${at}%`, width: `${share}%`, height: '100%' }));
    at += share;
  }
  return bar;
}

/** The parts by name, with their colours and times. */
export function latencyLegend({ parts }: Timing): HTMLElement {
  const rows = PARTS.map((part) =>
    html(
      'div',
      {},
      html('dt', { class: `swatch ${part}` }, part),
      html('dd', {}, digits(parts[part], 2)),
    ),
  );
  return html('dl', { class: 'parts' }, ...rows);
}

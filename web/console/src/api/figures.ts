/** Numbers as people read them, each with its unit. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 48,112 */
export function count(n: number): string {
  return whole.format(n);
}

/** 5.6 %; small ratios keep their first digit. */
export function percent(ratio: number | null | undefined): string {
  if (ratio === null || ratio === undefined || Number.isNaN(ratio)) return "–";
  const p = ratio * 100;
  return `${p === 0 || p >= 10 ? p.toFixed(0) : p >= 0.1 ? p.toFixed(1) : p.toFixed(2)} %`;
}

/** 1.4 Mbit/s */
export function bitrate(bps: number): string {
  if (bps >= 1e6) return `${(bps / 1e6).toFixed(1)} Mbit/s`;
  return bps >= 1000 ? `${whole.format(bps / 1000)} kbit/s` : `${whole.format(bps)} bit/s`;
}

/** 12.3 MB */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let [value, unit] = [n / 1000, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

/** 34 ms, 4.2 ms */
export function ms(value: number): string {
  return `${value >= 10 ? whole.format(value) : value.toFixed(1)} ms`;
}

/** A value of a metric with its unit, by the unit's name in the API. */
export function withUnit(value: number, unit: string | null | undefined): string {
  switch (unit) {
    case "ratio":
      return percent(value);
    case "ms":
      return ms(value);
    case "ms/min":
      return `${(value / 1000).toFixed(1)} s/min`;
    case "bit/s":
      return bitrate(value);
    case null:
    case undefined:
    case "":
      return String(Math.round(value * 100) / 100);
    default:
      return `${Math.round(value * 10) / 10} ${unit}`;
  }
}

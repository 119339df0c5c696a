// A scale on which each step is ten times the one before: shares of a limit lie ten thousand times apart.

export const lowestShare = 1e-6;
export const highestShare = 2;

/** Where a share stands between the ends of the scale, 0 to 1; what lies outside is held at the end. */
export function place(share: number): number {
  const low = Math.log10(lowestShare);
  const high = Math.log10(highestShare);
  const at = Math.log10(Math.min(highestShare, Math.max(lowestShare, share)));
  return (at - low) / (high - low);
}

/** The tens at which the scale has a mark. */
export const marks = [0.00001, 0.0001, 0.001, 0.01, 0.1, 1];

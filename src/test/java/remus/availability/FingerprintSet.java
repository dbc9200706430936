package remus.availability;

import remus.availability.ModelKey.Fingerprint;

/** A set of fingerprints in two flat arrays, for millions of them. */
final class FingerprintSet {
    private long[] highs;
    private long[] lows;
    private int size;

    /** @param capacity a power of two */
    FingerprintSet(int capacity) {
        highs = new long[capacity];
        lows = new long[capacity];
    }

    int size() {
        return size;
    }

    boolean contains(Fingerprint key) {
        int slot = slot(key);
        return lows[slot] != 0 || highs[slot] != 0;
    }

    /** Returns whether it is new. */
    boolean add(Fingerprint key) {
        int slot = slot(key);
        if (lows[slot] != 0 || highs[slot] != 0) {
            return false;
        }
        highs[slot] = key.high();
        lows[slot] = key.low();
        size++;
        if (size * 2 > highs.length) {
            grow();
        }
        return true;
    }

    /** Where {@code key} is, or the free slot where it belongs. */
    private int slot(Fingerprint key) {
        int mask = highs.length - 1;
        int slot = (int) (key.low() ^ key.high() >>> 17) & mask;
        while ((lows[slot] != 0 || highs[slot] != 0) && (lows[slot] != key.low() || highs[slot] != key.high())) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private void grow() {
        long[] oldHighs = highs;
        long[] oldLows = lows;
        highs = new long[oldHighs.length * 2];
        lows = new long[oldLows.length * 2];
        size = 0;
        for (int i = 0; i < oldHighs.length; i++) {
            if (oldLows[i] != 0 || oldHighs[i] != 0) {
                add(new Fingerprint(oldHighs[i], oldLows[i]));
            }
        }
    }
}

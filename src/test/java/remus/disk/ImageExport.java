package remus.disk;

import java.lang.foreign.MemorySegment;

/** A raw image offered as it is. */
record ImageExport(String name, RawImage image) implements NbdExport {
    @Override
    public long bytes() {
        return image.bytes();
    }

    @Override
    public boolean readNow(long offset, MemorySegment target, long at, long length) throws DiskException {
        return image.readCached(offset, target, at, length);
    }

    @Override
    public void read(long offset, MemorySegment target, long at, long length) throws DiskException {
        image.read(offset, target, at, length);
    }

    @Override
    public void write(long offset, MemorySegment source, long at, long length, boolean durable) throws DiskException {
        image.write(offset, source, at, length);
        syncIf(durable);
    }

    @Override
    public void flush() throws DiskException {
        image.sync();
    }

    @Override
    public void trim(long offset, long length, boolean durable) throws DiskException {
        image.trim(offset, length);
        syncIf(durable);
    }

    @Override
    public void zero(long offset, long length, boolean mayTrim, boolean durable) throws DiskException {
        if (mayTrim) {
            image.trim(offset, length);
        } else {
            image.zero(offset, length);
        }
        syncIf(durable);
    }

    private void syncIf(boolean durable) throws DiskException {
        if (durable) {
            image.sync();
        }
    }

    @Override
    public long nextData(long offset) throws DiskException {
        return image.nextData(offset);
    }

    @Override
    public long nextHole(long offset) throws DiskException {
        return image.nextHole(offset);
    }
}

package remus.replication;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.HelloFile;
import remus.wire.Payloads;
import remus.wire.WireException;
import remus.wire.WireLimits;

/** Sends the files that a backup lacks, one frame at a time. Confined to the channel's thread. */
final class FileSender implements AutoCloseable {
    private final OutgoingFrame frame;
    private final FileSource source;
    private final ArrayDeque<HelloFile> files = new ArrayDeque<>();
    private final ByteBuffer data = ByteBuffer.allocateDirect(WireLimits.MAX_BULK_BYTES);
    private @Nullable ReadableByteChannel current;
    private long offset;

    /** @throws WireException when a file is wanted that the hello does not name */
    FileSender(OutgoingFrame frame, FileSource source, Hello hello, List<String> wanted) throws WireException {
        this.frame = frame;
        this.source = source;
        for (String name : wanted) {
            files.add(hello.files().stream()
                    .filter(file -> file.name().equals(name))
                    .findFirst()
                    .orElseThrow(() ->
                            WireException.corrupt("the backup wants file '" + name + "', which it was not offered")));
        }
    }

    boolean isDone() {
        return files.isEmpty();
    }

    /** Makes the next frame; there must be one. */
    void next() throws IOException {
        HelloFile file = files.getFirst();
        ReadableByteChannel from = current;
        if (from == null) {
            from = source.open(file.name());
            current = from;
            offset = 0;
        }
        data.clear().limit((int) Math.min(data.capacity(), file.bytes() - offset));
        while (data.hasRemaining()) {
            if (from.read(data) < 0) {
                throw new IOException("file " + file.name() + " ends after " + (offset + data.position()) + " of "
                        + file.bytes() + " bytes: it has changed");
            }
        }
        data.flip();
        Payloads.encodeFileData(frame.begin(), file.name(), offset);
        frame.addPart(data);
        offset += data.remaining();
        frame.finish(FrameType.FILE_DATA, EpochId.NONE);
        if (offset == file.bytes()) {
            close();
            files.remove();
        }
    }

    @Override
    public void close() throws IOException {
        ReadableByteChannel open = current;
        current = null;
        if (open != null) {
            open.close();
        }
    }
}

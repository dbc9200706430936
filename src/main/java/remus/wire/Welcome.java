package remus.wire;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The backup takes the session: the payload of WELCOME. The header's epoch is its last whole one.
 *
 * @param host the backup's name
 * @param qemuVersion as its QEMU says it
 * @param wantedFiles names of files from the hello that it lacks
 * @param disksWithContent names of disks from the hello of which it has an image with earlier content, of that size
 */
public record Welcome(String host, String qemuVersion, List<String> wantedFiles, List<String> disksWithContent) {
    public Welcome {
        if (wantedFiles.size() > WireLimits.MAX_FILES) {
            throw new IllegalArgumentException(wantedFiles.size() + " files are wanted");
        }
        if (disksWithContent.size() > WireLimits.MAX_DISKS) {
            throw new IllegalArgumentException(disksWithContent.size() + " disks have content");
        }
        wantedFiles = List.copyOf(wantedFiles);
        disksWithContent = List.copyOf(disksWithContent);
    }

    public void encode(ByteBuffer target) {
        WireText.putName(target, host);
        WireText.putName(target, qemuVersion);
        target.putShort((short) wantedFiles.size());
        for (String name : wantedFiles) {
            WireText.putName(target, name);
        }
        target.put((byte) disksWithContent.size());
        for (String name : disksWithContent) {
            WireText.putName(target, name);
        }
    }

    public static Welcome decode(ByteBuffer source) throws WireException {
        String host = WireText.takeName(source, "host name");
        String qemuVersion = WireText.takeName(source, "QEMU version");
        WireText.need(source, Short.BYTES, "number of files");
        int count = Short.toUnsignedInt(source.getShort());
        if (count > WireLimits.MAX_FILES) {
            throw WireException.corrupt("the backup wants files=" + count + " limit=" + WireLimits.MAX_FILES);
        }
        List<String> wantedFiles = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            wantedFiles.add(WireText.takeFileName(source));
        }
        int diskCount = WireText.takeCount(source, "number of disks with content", WireLimits.MAX_DISKS);
        List<String> disksWithContent = new ArrayList<>(diskCount);
        for (int i = 0; i < diskCount; i++) {
            disksWithContent.add(WireText.takeFileName(source));
        }
        WireText.end(source);
        return new Welcome(host, qemuVersion, wantedFiles, disksWithContent);
    }
}

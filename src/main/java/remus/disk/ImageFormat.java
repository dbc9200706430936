package remus.disk;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * Formats of disk images that are not raw, told by their signatures as QEMU's own probing does (block/*.c of QEMU 7.2):
 * served as raw they would show the guest a disk of the wrong content.
 *
 * @param name as qemu-img(1) calls it
 * @param fromEnd whether the signature's place counts from {@link #SECTOR_BYTES} before the end of the file
 * @param place where the signature is, in bytes
 * @param signature its bytes, each as the character of that number
 */
record ImageFormat(String name, boolean fromEnd, int place, String signature) {
    /** Bytes at the start and at the end of the file that are looked at. */
    static final int SECTOR_BYTES = 512;

    private static final List<ImageFormat> KNOWN = List.of(
            // Version 1 is QEMU's older qcow; the version follows the signature, big-endian.
            atStart("qcow", "QFI\u00fb\0\0\0\1"),
            atStart("qcow2", "QFI\u00fb"),
            atStart("vmdk", "KDMV"),
            atStart("vmdk", "COWD"),
            atStart("vmdk", "# Disk DescriptorFile"),
            new ImageFormat("vdi", false, 0x40, "\u007f\u0010\u00da\u00be"),
            atStart("vhdx", "vhdxfile"),
            atStart("vpc", "conectix"),
            // A fixed-size one has nothing but a footer; with its version, since the cookie alone might be a guest's
            // data.
            new ImageFormat("vpc", true, 0, "conectix\0\0\0\2\0\1\0\0"),
            atStart("qed", "QED\0"));

    private static ImageFormat atStart(String name, String signature) {
        return new ImageFormat(name, false, 0, signature);
    }

    /**
     * The format that an image shows itself to have, if it is one that is known and not raw.
     *
     * @param start its first {@link #SECTOR_BYTES}
     * @param end its last ones
     */
    static Optional<String> of(MemorySegment start, MemorySegment end) {
        return KNOWN.stream()
                .filter(format -> format.matches(format.fromEnd ? end : start))
                .map(ImageFormat::name)
                .findFirst();
    }

    private boolean matches(MemorySegment sector) {
        for (int i = 0; i < signature.length(); i++) {
            if ((sector.get(JAVA_BYTE, place + i) & 0xff) != signature.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}

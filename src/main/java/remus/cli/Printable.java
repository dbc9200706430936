package remus.cli;

/** Text of others, safe to be shown on a terminal. */
final class Printable {
    private Printable() {}

    /** A line without anything that a terminal would obey: a guest, a peer or QEMU may have had a hand in it. */
    static String line(String text) {
        return text.codePoints()
                .map(point -> isInvisible(point) ? '?' : point)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private static boolean isInvisible(int point) {
        int type = Character.getType(point);
        return type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR
                || type == Character.SURROGATE;
    }
}

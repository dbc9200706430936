package remus.cli;

import java.util.List;
import java.util.Locale;

/**
 * Writes a drawing as SVG 1.1: shapes and text in pixels from the top left, on a light ground, without script, style sheet
 * or font of its own, so that any viewer shows it alike. All text is escaped, and what XML can't hold becomes {@code ?}.
 */
final class Svg {
    private static final String FONTS = "DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif";
    private static final String GROUND = "#ffffff";

    private final StringBuilder xml = new StringBuilder();

    /** Where a text lies beside its point. */
    enum Anchor {
        START,
        MIDDLE,
        END
    }

    /**
     * How a text looks.
     *
     * @param pixels its height
     */
    record Font(int pixels, String colour, boolean bold, Anchor anchor) {
        Font anchored(Anchor other) {
            return new Font(pixels, colour, bold, other);
        }

        Font coloured(String other) {
            return new Font(pixels, other, bold, anchor);
        }
    }

    record Point(double x, double y) {}

    /**
     * @param title for those who can't see it, and for the window
     * @param description the same in a sentence
     */
    Svg(int width, int height, String title, String description) {
        xml.append("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        add(
                ("<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                                + "role=\"img\" font-family=\"%s\">")
                        .formatted(width, height, width, height, FONTS));
        add("<title>%s</title>".formatted(escaped(title)));
        add("<desc>%s</desc>".formatted(escaped(description)));
        rectangle(0, 0, width, height, GROUND, "");
    }

    /** @param tooltip what a viewer shows when pointed at; empty: nothing */
    void rectangle(double x, double y, double width, double height, String colour, String tooltip) {
        add("<rect x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" fill=\"%s\">%s</rect>"
                .formatted(pixels(x), pixels(y), pixels(width), pixels(height), escaped(colour), tooltip(tooltip)));
    }

    void circle(Point centre, double radius, String colour, String tooltip) {
        add("<circle cx=\"%s\" cy=\"%s\" r=\"%s\" fill=\"%s\">%s</circle>"
                .formatted(pixels(centre.x()), pixels(centre.y()), pixels(radius), escaped(colour), tooltip(tooltip)));
    }

    void line(List<Point> points, double width, String colour) {
        StringBuilder places = new StringBuilder();
        points.forEach(point -> places.append(pixels(point.x()))
                .append(',')
                .append(pixels(point.y()))
                .append(' '));
        add("<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"/>"
                .formatted(places.toString().strip(), escaped(colour), pixels(width)));
    }

    void text(double x, double y, Font font, String text) {
        add("<text x=\"%s\" y=\"%s\" %s>%s</text>".formatted(pixels(x), pixels(y), attributes(font), escaped(text)));
    }

    /** A text that is read from below upwards. */
    void upwards(double x, double y, Font font, String text) {
        add("<text transform=\"translate(%s %s) rotate(-90)\" %s>%s</text>"
                .formatted(pixels(x), pixels(y), attributes(font), escaped(text)));
    }

    /** The whole document. */
    String document() {
        return xml + "</svg>\n";
    }

    private void add(String line) {
        xml.append(line).append('\n');
    }

    private static String attributes(Font font) {
        return "font-size=\"%d\" fill=\"%s\" font-weight=\"%s\" text-anchor=\"%s\""
                .formatted(
                        font.pixels(),
                        escaped(font.colour()),
                        font.bold() ? "bold" : "normal",
                        font.anchor().name().toLowerCase(Locale.ROOT));
    }

    private static String tooltip(String text) {
        return text.isEmpty() ? "" : "<title>" + escaped(text) + "</title>";
    }

    private static String pixels(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }

    static String escaped(String text) {
        return Printable.line(text)
                .replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace('\ufffe', '?')
                .replace('\uffff', '?');
    }
}

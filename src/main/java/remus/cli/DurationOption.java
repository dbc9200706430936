package remus.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;
import remus.base.DurationText;

/** Reads a duration with its unit and keeps it as the text that the API takes. */
final class DurationOption implements ITypeConverter<String> {
    @Override
    public String convert(String text) {
        try {
            return DurationText.format(DurationText.parse(text));
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }
}

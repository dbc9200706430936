package remus.cli;

import java.time.Duration;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;
import remus.base.HostAddress;

/** The option that every command has that asks a host daemon. */
final class ApiOption {
    private static final int DEFAULT_PORT = 7421;

    @Option(
            names = "--api",
            paramLabel = "ADDR:PORT",
            defaultValue = "${env:REMUS_API:-127.0.0.1:7421}",
            converter = Converter.class,
            description = "The host daemon to ask; default: $REMUS_API, or else 127.0.0.1:7421.")
    private HostAddress address = new HostAddress("127.0.0.1", DEFAULT_PORT);

    ApiClient client() {
        return new ApiClient(address);
    }

    /** A client for whoever asks again soon: it waits for an answer no longer than that. */
    ApiClient client(Duration answerTimeout) {
        return new ApiClient(address, answerTimeout);
    }

    HostAddress address() {
        return address;
    }

    static final class Converter implements ITypeConverter<HostAddress> {
        @Override
        public HostAddress convert(String text) {
            try {
                return HostAddress.parse(text, DEFAULT_PORT);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}

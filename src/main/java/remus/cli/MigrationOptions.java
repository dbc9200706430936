package remus.cli;

import java.lang.reflect.Field;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;
import remus.api.MigrateRequest;
import remus.api.MigrationMode;
import remus.api.WhenUnconverged;
import remus.base.ByteSize;
import remus.base.HostAddress;

/** How a VM is to be moved: what a {@link MigrateRequest} holds. What is not said is left to the host. */
final class MigrationOptions {
    private static final int DEFAULT_PORT = 7420;

    /** What only rounds know, which stop-the-world has not. */
    private static final Set<String> OF_ROUNDS = Set.of(
            "--max-downtime",
            "--max-rounds",
            "--settled-rounds",
            "--settled-tolerance",
            "--until-clean",
            "--max-data",
            "--auto-converge",
            "--abort",
            "--min-rate",
            "--max-rate",
            "--rate-step");

    @Option(
            names = "--to",
            paramLabel = "ADDR:PORT",
            converter = DestinationOption.class,
            description = "Replication address of the destination, or the name of a peer of the host.")
    private @Nullable String to;

    @Option(
            names = "--mode",
            paramLabel = "MODE",
            converter = ModeOption.class,
            description =
                    "pre-copy (default): memory is copied in rounds while the guest runs. stop-the-world: the guest "
                            + "stands still from the beginning.")
    private @Nullable MigrationMode mode;

    @Option(
            names = "--max-downtime",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description =
                    "Suspend the guest as soon as what is left can be expected to arrive within this; default: 30ms; "
                            + "0ms: not for that.")
    private @Nullable String maxDowntime;

    @Option(
            names = "--max-rounds",
            paramLabel = "N",
            converter = RoundsOption.class,
            description = "Most rounds; default: 30.")
    private @Nullable Integer maxRounds;

    @Option(
            names = "--settled-rounds",
            paramLabel = "K",
            converter = SettledRoundsOption.class,
            description =
                    "Suspend it when the number of pages that a round leaves has stayed the same for K rounds: more "
                            + "of them would gain nothing. Default: 5, or with --auto-converge or --abort 0: not for that.")
    private @Nullable Integer settledRounds;

    @Option(
            names = "--settled-tolerance",
            paramLabel = "PERCENT",
            converter = PercentOption.class,
            description = "How much that number may differ and count as the same; default: 5.")
    private @Nullable Integer settledTolerancePercent;

    @Option(
            names = "--until-clean",
            negatable = true,
            description = "Suspend it, or not, as soon as a round leaves no page; default: it is.")
    private @Nullable Boolean untilClean;

    @Option(
            names = "--max-data",
            paramLabel = "SIZE",
            converter = ProtectCommand.SizeOption.class,
            description = "Most page data sent before it is suspended, such as 4GiB; default: no limit.")
    private @Nullable String maxData;

    @Option(
            names = "--auto-converge",
            description = "Slow down a guest that writes faster than it can be copied, more and more.")
    private boolean autoConverge;

    @Option(
            names = "--abort",
            description =
                    "When rounds or data are used up, give up and leave the guest where it is, instead of suspending "
                            + "it all the same.")
    private boolean abort;

    @Option(
            names = "--min-rate",
            paramLabel = "SIZE",
            converter = ProtectCommand.SizeOption.class,
            description =
                    "Page data per second in the first round, such as 50MiB; the later ones follow the guest. Default: "
                            + "as fast as it goes.")
    private @Nullable String minRate;

    @Option(
            names = "--max-rate",
            paramLabel = "SIZE",
            converter = ProtectCommand.SizeOption.class,
            description = "Most page data per second in any round; default: as fast as it goes.")
    private @Nullable String maxRate;

    @Option(
            names = "--rate-step",
            paramLabel = "SIZE",
            converter = ProtectCommand.SizeOption.class,
            description =
                    "With --min-rate, what a round may send per second beyond what the guest wrote per second in the "
                            + "one before; default: 6MiB.")
    private @Nullable String rateStep;

    @Option(
            names = "--shared-disks",
            description =
                    "Both hosts see the same images under the same paths, as on NFS: do not copy them. Checked before "
                            + "anything moves; not for a protected VM.")
    private boolean sharedDisks;

    @Option(
            names = "--verify",
            description = "Compare the whole memory of both hosts before the guest goes on; it stands still meanwhile.")
    private boolean verify;

    MigrateRequest request() {
        return new MigrateRequest(
                to,
                mode,
                maxDowntime,
                maxRounds,
                settledRounds,
                settledTolerancePercent,
                untilClean,
                maxData,
                autoConverge ? WhenUnconverged.AUTO_CONVERGE : abort ? WhenUnconverged.ABORT : null,
                minRate,
                maxRate,
                rateStep,
                sharedDisks ? Boolean.TRUE : null,
                verify ? Boolean.TRUE : null);
    }

    /** Refuses what does not go together. */
    void check(CommandLine command) {
        if (mode == MigrationMode.STOP_THE_WORLD) {
            given(command).stream().filter(OF_ROUNDS::contains).findFirst().ifPresent(option -> {
                throw new ParameterException(
                        command,
                        option + " is about rounds, which --mode stop-the-world has not: leave one of them out");
            });
        }
        if (autoConverge && abort) {
            throw new ParameterException(
                    command,
                    "--auto-converge suspends the guest in the end, --abort never does: leave one of them out");
        }
        checkRates(command);
    }

    private void checkRates(CommandLine command) {
        if (rateStep != null && minRate == null) {
            throw new ParameterException(
                    command, "--rate-step is what rounds gain that begin at --min-rate: add --min-rate SIZE");
        }
        if (minRate == null || maxRate == null) {
            return;
        }
        ByteSize least = ByteSize.parse(minRate);
        ByteSize most = ByteSize.parse(maxRate);
        if (most.bytes() > 0 && least.bytes() > most.bytes()) {
            throw new ParameterException(
                    command,
                    "--min-rate %s is more than --max-rate %s: lower the one or raise the other"
                            .formatted(least, most));
        }
    }

    /** Those of these options that were given, by name. */
    static List<String> given(CommandLine command) {
        return command.getParseResult().matchedOptions().stream()
                .filter(option -> option.userObject() instanceof Field field
                        && field.getDeclaringClass() == MigrationOptions.class)
                .map(OptionSpec::longestName)
                .toList();
    }

    static final class DestinationOption implements ITypeConverter<String> {
        @Override
        public String convert(String text) {
            try {
                if (HostAddress.parse(text, DEFAULT_PORT).port() == 0) {
                    throw new TypeConversionException(
                            "'%s' names no port: write HOST:PORT, such as 192.0.2.7:7420".formatted(text));
                }
                return text.strip();
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    static final class ModeOption implements ITypeConverter<MigrationMode> {
        @Override
        public MigrationMode convert(String text) {
            try {
                return MigrationMode.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    static final class RoundsOption implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            if (!text.matches("[1-9]\\d{0,5}")) {
                throw new TypeConversionException("'%s' is not a number of rounds: write 1 to 999999".formatted(text));
            }
            return Integer.valueOf(text);
        }
    }

    static final class SettledRoundsOption implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            if (!text.matches("0|[2-9]|[1-9]\\d{1,5}")) {
                throw new TypeConversionException(
                        "'%s' is not a number of rounds to compare: write 2 to 999999, or 0 for none".formatted(text));
            }
            return Integer.valueOf(text);
        }
    }

    static final class PercentOption implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            if (!text.matches("(\\d{1,2}|100)%?")) {
                throw new TypeConversionException("'%s' is not a percentage: write 0 to 100".formatted(text));
            }
            return Integer.valueOf(text.replace("%", ""));
        }
    }
}

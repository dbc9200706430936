package remus.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;
import remus.api.CompressMode;
import remus.api.ProtectRequest;
import remus.api.StandbyMode;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.ByteSize;

@CommandLine.Command(
        name = "protect",
        header = "Protect a running VM with a backup on another host.",
        description = {
            "",
            "Ends when the VM is protected: from then on the backup takes over whenever this host fails. What is not "
                    + "said here comes from the VM's definition. When the backup is lost, or has taken the VM over, the VM "
                    + "is protected again by itself, until remus unprotect. A VM that has that backup already stays as it is.",
            ""
        },
        footer = {"", "Example:", "  remus protect shop --backup 192.0.2.7:7420 --interval 25ms"})
final class ProtectCommand extends Command.OfApi {
    @Parameters(paramLabel = "VM", description = "The VM's name.")
    private String vm = "";

    @Option(
            names = "--backup",
            paramLabel = "ADDR:PORT",
            description = "Replication address of the backup, or the name of a peer of the host.")
    private @Nullable String backup;

    @Option(
            names = "--interval",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "Time between two checkpoints; default: 25ms. While the guest sends something they come more "
                    + "often, and less often while it is quiet: see --max-pause-share.")
    private @Nullable String interval;

    @Option(
            names = "--max-pause-share",
            paramLabel = "PERCENT",
            converter = ShareOption.class,
            description =
                    "The part of the time that pauses may take where checkpoints come earlier because somebody waits "
                            + "for what the guest has sent; default: 20%%. 0%%: always at the interval.")
    private @Nullable String maxPauseShare;

    @Option(
            names = "--detect",
            paramLabel = "DURATION",
            converter = DurationOption.class,
            description = "How long checkpoints may stop coming before the backup takes over; default: 300ms.")
    private @Nullable String detect;

    @Option(
            names = "--no-output-commit",
            description = "Let output go before the backup has the state it came from: quicker answers, but a "
                    + "failover may lose what clients have seen.")
    private boolean noOutputCommit;

    @Option(
            names = "--verify",
            paramLabel = "N",
            converter = CountOption.class,
            description = "Compare the memory of both sides every N checkpoints.")
    private @Nullable Long verifyEvery;

    @Option(
            names = "--when-alone",
            paramLabel = "hold|continue",
            converter = WhenAloneOption.class,
            description =
                    "When the backup is lost and no arbiter can say who owns the VM: hold its output (default), or "
                            + "continue without it.")
    private @Nullable WhenAlone whenAlone;

    @Option(
            names = "--sync-rate",
            paramLabel = "SIZE",
            converter = SizeOption.class,
            description = "Most disk data copied per second until the backup is synchronized, such as 50MiB; default: "
                    + "as fast as it goes.")
    private @Nullable String syncRate;

    @Option(
            names = "--standby",
            paramLabel = "warm|cold",
            converter = StandbyOption.class,
            description =
                    "Whether a QEMU waits on the backup (warm, default), or is started when the backup takes over "
                            + "(cold): spares its memory there, and costs time then.")
    private @Nullable StandbyMode standby;

    @Option(
            names = "--compress",
            paramLabel = "auto|always|never",
            converter = CompressOption.class,
            description =
                    "Whether pages are compressed on their way to the backup: auto (default) does it where the link "
                            + "holds checkpoints up and it takes less time than it spares.")
    private @Nullable CompressMode compress;

    @Option(names = "--no-wait", description = "End as soon as protection has begun.")
    private boolean noWait;

    ProtectCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    void run() throws CommandException {
        ProtectRequest request = new ProtectRequest(
                backup,
                interval,
                maxPauseShare,
                detect,
                noOutputCommit ? Boolean.FALSE : null,
                verifyEvery,
                whenAlone,
                syncRate,
                standby,
                compress);
        VmStatus begun = client().post(VmPath.verb(vm, "protect"), request, VmStatus.class);
        print(
                noWait || begun.state() == VmState.PROTECTED
                        ? StatusText.sentence(begun)
                        : new ProtectionWait(client(), terminal(), vm).untilProtected());
    }

    static final class WhenAloneOption implements ITypeConverter<WhenAlone> {
        @Override
        public WhenAlone convert(String text) {
            try {
                return WhenAlone.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    static final class StandbyOption implements ITypeConverter<StandbyMode> {
        @Override
        public StandbyMode convert(String text) {
            try {
                return StandbyMode.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    static final class ShareOption implements ITypeConverter<String> {
        @Override
        public String convert(String text) {
            if (!text.matches("\\d{1,2}%")) {
                throw new TypeConversionException("'%s' is not a share such as 20%%".formatted(text));
            }
            return text;
        }
    }

    static final class CompressOption implements ITypeConverter<CompressMode> {
        @Override
        public CompressMode convert(String text) {
            try {
                return CompressMode.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    static final class SizeOption implements ITypeConverter<String> {
        @Override
        public String convert(String text) {
            try {
                return ByteSize.parse(text).bytes() + "B";
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    static final class CountOption implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            if (!text.matches("\\d{1,9}")) {
                throw new TypeConversionException("'%s' is not a number of checkpoints".formatted(text));
            }
            return Long.valueOf(text);
        }
    }
}

package remus.cli;

import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;
import remus.base.ByteSize;
import remus.bench.GuestLoad;
import remus.host.ProtectionSettings;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;

@CommandLine.Command(
        name = "bench",
        synopsisSubcommandLabel = "NAME",
        header = "Measure what protection and migration cost on this machine.",
        description = {"", "Needs no host daemon: each bench starts what it needs and leaves nothing behind.", ""},
        commandListHeading = "%nBenches:%n",
        footer = {"", "Example:", "  remus bench pause --json"})
final class BenchCommand {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help and end.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean help;

    private BenchCommand() {}

    static CommandLine commandLine(Terminal terminal) {
        return new CommandLine(new BenchCommand())
                .addSubcommand(new BenchPauseCommand(terminal))
                .addSubcommand(new BenchDiskCommand(terminal))
                .addSubcommand(new BenchFailoverCommand(terminal))
                .addSubcommand(new BenchLatencyCommand(terminal))
                .addSubcommand(new BenchMigrationCommand(terminal))
                .addSubcommand(new BenchOverheadCommand(terminal))
                .addSubcommand(new BenchThroughputCommand(terminal))
                .addSubcommand(new BenchWwsCommand(terminal));
    }

    static final class MachineConverter implements ITypeConverter<MachineType> {
        @Override
        public MachineType convert(String text) {
            for (MachineType machine : MachineType.values()) {
                if (machine.key().equals(text)) {
                    return machine;
                }
            }
            throw new TypeConversionException("'" + text + "' is not a machine: use q35, pc or microvm");
        }
    }

    static final class AcceleratorConverter implements ITypeConverter<Accelerator> {
        @Override
        public Accelerator convert(String text) {
            for (Accelerator accelerator : Accelerator.values()) {
                if (accelerator.key().equals(text)) {
                    return accelerator;
                }
            }
            throw new TypeConversionException("'" + text + "' is neither tcg nor kvm");
        }
    }

    static final class MemoryConverter implements ITypeConverter<ByteSize> {
        @Override
        public ByteSize convert(String text) {
            try {
                return ByteSize.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    /** Of the time that pauses may take, in percent. */
    static final class ShareConverter implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            try {
                return ProtectionSettings.parseShare(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    static final class WorkloadConverter implements ITypeConverter<GuestLoad> {
        @Override
        public GuestLoad convert(String text) {
            try {
                return GuestLoad.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}

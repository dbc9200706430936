package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import remus.api.ArbiterView;
import remus.api.CheckpointStatus;
import remus.api.HostStatus;
import remus.api.OutputStatus;
import remus.api.Percentiles;
import remus.api.VmRole;
import remus.api.VmStatus;
import remus.base.ByteSize;

/** Status as people read it, within 80 columns. */
final class StatusText {
    private static final int NAME_COLUMNS = 14;
    private static final String ROW = "%-14s %-7s %-13s %4s %8s %9s %6s %7s %4s";
    private static final int WIDTH = 80;

    private StatusText() {}

    /** One line that ends a command. */
    static String sentence(VmStatus vm) {
        String peer = vm.peer() == null ? "" : " with " + vm.peer();
        String reason = vm.reason() == null ? "" : " (" + vm.reason() + ")";
        return switch (vm.state()) {
            case UNPROTECTED -> "VM %s runs, unprotected%s".formatted(vm.name(), reason);
            case SYNCHRONIZING -> "VM %s is being synchronized%s%s".formatted(vm.name(), peer, reason);
            case PROTECTED ->
                "VM %s is protected%s, every %d ms%s".formatted(vm.name(), peer, vm.intervalMillis(), reason);
            case DEGRADED -> "VM %s runs, but has lost its backup%s".formatted(vm.name(), reason);
            case STANDBY -> "VM %s is backed up here%s".formatted(vm.name(), reason);
            case ACTIVATING -> "VM %s is being activated here%s".formatted(vm.name(), reason);
            case FENCED -> "VM %s is fenced: another host owns it%s".formatted(vm.name(), reason);
            case STOPPED -> "VM %s is stopped%s".formatted(vm.name(), reason);
        };
    }

    /** A row for each VM, with peer and reason below it. */
    static String table(HostStatus host) {
        if (host.vms().isEmpty() && host.draining() != null) {
            return "Host %s has no VMs and takes none: it is being drained; 'remus drain --undo' ends that."
                    .formatted(host.host());
        }
        if (host.vms().isEmpty()) {
            return "Host %s has no VMs; boot one with 'remus start VM.yaml'.".formatted(host.host());
        }
        List<String> lines = new ArrayList<>();
        lines.add("Host %s".formatted(host.host())
                + (host.draining() == null ? "" : ", is being drained")
                + arbiter(host.arbiter()));
        lines.add(ROW.formatted("NAME", "ROLE", "STATE", "TERM", "EPOCH", "PAUSE ms", "DIRTY", "COMMIT", "HELD"));
        host.vms().forEach(vm -> addRows(lines, vm));
        return String.join(System.lineSeparator(), lines);
    }

    /** Nothing where there is none: that is the plain case. */
    private static String arbiter(ArbiterView arbiter) {
        return arbiter.equals(ArbiterView.NONE)
                ? ""
                : ", arbiter " + arbiter.name()
                        + (arbiter.reachable() ? "" : " (can't be asked: " + arbiter.reason() + ")");
    }

    private static void addRows(List<String> lines, VmStatus vm) {
        boolean longName = vm.name().length() > NAME_COLUMNS;
        if (longName) {
            lines.add(vm.name());
        }
        CheckpointStatus checkpoint = vm.checkpoint();
        boolean measured = checkpoint.count() > 0;
        boolean paused = measured && vm.role() == VmRole.PRIMARY;
        Percentiles pause = checkpoint.pauseMicros();
        lines.add(ROW.formatted(
                        longName ? "" : vm.name(),
                        vm.role(),
                        vm.state(),
                        vm.term(),
                        vm.epoch() == 0 ? "-" : vm.epoch(),
                        paused ? millis(pause.p50()) + "/" + millis(pause.p99()) : "-",
                        measured ? checkpoint.dirtyPages().p50() : "-",
                        paused ? millis(checkpoint.commitMicros().p50()) : "-",
                        vm.output().heldFrames())
                .stripTrailing());
        if (vm.peer() != null) {
            lines.add("  %s %s".formatted(vm.role() == VmRole.PRIMARY ? "backup" : "primary", vm.peer()));
        }
        if (vm.reason() != null) {
            lines.addAll(wrapped(vm.reason()));
        }
    }

    private static List<String> wrapped(String text) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder(" ");
        for (String word : text.split(" ", -1)) {
            if (line.length() > 1 && line.length() + 1 + word.length() > WIDTH) {
                lines.add(line.toString());
                line.setLength(1);
            }
            line.append(' ').append(word);
        }
        lines.add(line.toString());
        return lines;
    }

    /** Everything about one VM. */
    static String details(HostStatus host, VmStatus vm) {
        List<String> lines = new ArrayList<>();
        lines.add("VM %s on host %s: %s (%s)".formatted(vm.name(), host.host(), vm.state(), vm.role()));
        add(lines, "reason", vm.reason() == null ? "-" : vm.reason());
        add(lines, "peer", vm.peer() == null ? "-" : vm.peer());
        add(lines, "term", Long.toString(vm.term()));
        add(lines, "epoch", "%d, committed %d".formatted(vm.epoch(), vm.committedEpoch()));
        add(lines, "interval", vm.intervalMillis() == 0 ? "-" : vm.intervalMillis() + " ms");
        addCheckpoints(lines, vm.checkpoint());
        OutputStatus output = vm.output();
        add(
                lines,
                "output",
                "%d frames (%s) held, %d released, %d dropped"
                        .formatted(
                                output.heldFrames(),
                                new ByteSize(output.heldBytes()),
                                output.releasedFrames(),
                                output.droppedFrames()));
        vm.disk()
                .forEach(disk -> add(
                        lines,
                        "disk " + disk.name(),
                        "%s, %s pending"
                                .formatted(
                                        disk.syncedPercent() == null
                                                ? "being synchronized"
                                                : disk.syncedPercent() + " % synchronized",
                                        new ByteSize(disk.pendingBytes()))));
        add(lines, "standby", vm.standby() == null ? "-" : vm.standby().toString());
        add(lines, "QEMU", vm.qemuPid() == null ? "-" : "pid " + vm.qemuPid());
        add(lines, "network", vm.tap() == null ? "-" : vm.tap());
        add(
                lines,
                "guest clock",
                String.format(
                        Locale.ROOT, "%.1f s behind, unless the guest corrects it", vm.guestClockLagMillis() / 1e3));
        return String.join(System.lineSeparator(), lines);
    }

    private static void addCheckpoints(List<String> lines, CheckpointStatus checkpoint) {
        add(lines, "checkpoints", Long.toString(checkpoint.count()));
        if (checkpoint.count() > 0) {
            add(lines, "pause", times(checkpoint.pauseMicros()));
            add(lines, "commit", times(checkpoint.commitMicros()));
            Percentiles pages = checkpoint.dirtyPages();
            add(lines, "dirty pages", "p50 %d, p99 %d, max %d".formatted(pages.p50(), pages.p99(), pages.max()));
            add(lines, "traffic", traffic(checkpoint.bytesPerSecond(), checkpoint.rawBytesPerSecond()));
        }
    }

    private static String traffic(long bytesPerSecond, long rawBytesPerSecond) {
        String sent = new ByteSize(bytesPerSecond) + "/s";
        return bytesPerSecond == 0 || rawBytesPerSecond <= bytesPerSecond
                ? sent
                : String.format(
                        Locale.ROOT,
                        "%s for %s/s, %.1f : 1",
                        sent,
                        new ByteSize(rawBytesPerSecond),
                        (double) rawBytesPerSecond / bytesPerSecond);
    }

    private static void add(List<String> lines, String label, String value) {
        lines.add("  %-12s  %s".formatted(label, value));
    }

    private static String times(Percentiles micros) {
        return "p50 %s ms, p99 %s ms, max %s ms"
                .formatted(millis(micros.p50()), millis(micros.p99()), millis(micros.max()));
    }

    /** Milliseconds with as many digits as matter: {@code 0.25}, {@code 3.1}, {@code 21}. */
    static String millis(long micros) {
        if (micros >= 9_950) {
            return Long.toString((micros + 500) / 1_000);
        }
        return String.format(Locale.ROOT, micros < 995 ? "%.2f" : "%.1f", micros / 1e3);
    }
}

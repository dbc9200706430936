package remus.cli;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStringBuilder;
import org.jline.utils.AttributedStyle;
import org.jspecify.annotations.Nullable;
import remus.api.DiskStatus;
import remus.api.HostStatus;
import remus.api.Percentiles;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;

/**
 * The VMs of a host as rows: as many columns as fit, the rest of what is to be said of each VM in lines below its row. Pure
 * functions of two statuses and the width.
 */
final class TopTable {
    private static final String NONE = "-";
    private static final int MIN_NAME_COLUMNS = 14;

    /** In the order in which they are shown. */
    private enum Column {
        NAME("NAME", MIN_NAME_COLUMNS, true),
        ROLE("ROLE", 7, true),
        STATE("STATE", 13, true),
        TERM("TERM", 4, false),
        EPOCHS("EP/S", 5, false),
        PAUSE("PAUSE ms", 9, false),
        DIRTY("DIRTY", 6, false),
        COMMIT("COMMIT", 6, false),
        HELD("HELD", 5, false),
        DISK("DISK", 5, false),
        CLOCK("CLOCK", 5, false),
        PEER("PEER", 21, true);

        private final String title;
        private final int width;
        private final boolean left;

        Column(String title, int width, boolean left) {
            this.title = title;
            this.width = width;
            this.left = left;
        }
    }

    /** In the order in which they get room. */
    private static final List<Column> BY_WEIGHT = List.of(
            Column.NAME,
            Column.STATE,
            Column.ROLE,
            Column.PAUSE,
            Column.HELD,
            Column.COMMIT,
            Column.EPOCHS,
            Column.DIRTY,
            Column.TERM,
            Column.DISK,
            Column.CLOCK,
            Column.PEER);

    private final HostStatus host;
    private final Map<String, VmStatus> before;
    private final double seconds;
    private final Set<Column> columns;
    private final int nameColumns;

    /**
     * @param earlier for rates; null: there are none yet
     * @param width columns of the terminal
     */
    TopTable(TopState.Poll now, TopState.@Nullable Poll earlier, int width) {
        host = now.status();
        before = earlier == null
                ? Map.of()
                : earlier.status().vms().stream()
                        .collect(Collectors.toMap(VmStatus::name, Function.identity(), (one, other) -> one));
        seconds = earlier == null ? 0 : now.since(earlier).toNanos() / 1e9;
        columns = EnumSet.of(Column.NAME);
        int free = width - MIN_NAME_COLUMNS;
        for (Column column : BY_WEIGHT.subList(1, BY_WEIGHT.size())) {
            free -= column.width + 1;
            if (free < 0) {
                free += column.width + 1;
                break;
            }
            columns.add(column);
        }
        int longest =
                host.vms().stream().mapToInt(vm -> vm.name().length()).max().orElse(0);
        nameColumns = Math.min(Math.max(longest, MIN_NAME_COLUMNS), MIN_NAME_COLUMNS + Math.max(0, free));
    }

    /** The columns' titles. */
    AttributedString head() {
        StringBuilder text = new StringBuilder();
        for (Column column : columns) {
            append(text, column, column.title);
        }
        return new AttributedString(text.toString().stripTrailing(), AttributedStyle.BOLD);
    }

    AttributedString row(VmStatus vm) {
        AttributedStringBuilder line = new AttributedStringBuilder();
        for (Column column : columns) {
            StringBuilder text = new StringBuilder();
            append(text, column, value(column, vm));
            line.append(text.toString(), style(column, vm));
        }
        return line.toAttributedString();
    }

    private void append(StringBuilder text, Column column, String value) {
        int width = column == Column.NAME ? nameColumns : column.width;
        String cut = value.length() <= width ? value : value.substring(0, width - 1) + TopView.CUT;
        text.append(column == Column.NAME ? "" : " ");
        text.append(column.left ? cut : " ".repeat(width - cut.length()) + cut);
        text.append(" ".repeat(column.left ? width - cut.length() : 0));
    }

    private static AttributedStyle style(Column column, VmStatus vm) {
        if (column == Column.STATE) {
            return style(vm.state());
        }
        return column == Column.NAME ? AttributedStyle.BOLD : AttributedStyle.DEFAULT;
    }

    static AttributedStyle style(VmState state) {
        return switch (state) {
            case PROTECTED, STANDBY -> AttributedStyle.DEFAULT.foreground(AttributedStyle.GREEN);
            case UNPROTECTED, SYNCHRONIZING, ACTIVATING -> AttributedStyle.DEFAULT.foreground(AttributedStyle.YELLOW);
            case DEGRADED, FENCED -> AttributedStyle.BOLD.foreground(AttributedStyle.RED);
            case STOPPED -> AttributedStyle.DEFAULT.faint();
        };
    }

    private String value(Column column, VmStatus vm) {
        boolean measured = vm.checkpoint().count() > 0;
        boolean paused = measured && vm.role() == VmRole.PRIMARY;
        return switch (column) {
            case NAME -> Printable.line(vm.name());
            case ROLE -> vm.role().toString();
            case STATE -> vm.state().toString();
            case TERM -> TopNumbers.count(vm.term(), column.width);
            case EPOCHS -> epochsPerSecond(vm);
            case PAUSE -> paused ? both(vm.checkpoint().pauseMicros()) : NONE;
            case DIRTY -> paused ? TopNumbers.count(vm.checkpoint().dirtyPages().p50(), column.width) : NONE;
            case COMMIT ->
                paused ? TopNumbers.millis(vm.checkpoint().commitMicros().p50()) : NONE;
            case HELD ->
                vm.role() == VmRole.PRIMARY ? TopNumbers.bytes(vm.output().heldBytes()) : NONE;
            case DISK -> disk(vm);
            case CLOCK -> vm.role() == VmRole.PRIMARY ? TopNumbers.time(vm.guestClockLagMillis()) : NONE;
            case PEER -> peer(vm);
        };
    }

    private static String peer(VmStatus vm) {
        String peer = vm.peer();
        return peer == null ? NONE : Printable.line(peer);
    }

    private static String both(Percentiles micros) {
        return TopNumbers.millis(micros.p50()) + "/" + TopNumbers.millis(micros.p99());
    }

    /** Counted between two polls, so only where both are of the same session. */
    private String epochsPerSecond(VmStatus vm) {
        VmStatus earlier = before.get(vm.name());
        if (earlier == null || seconds <= 0 || vm.intervalMillis() == 0) {
            return NONE;
        }
        boolean continues = earlier.term() == vm.term() && earlier.role() == vm.role() && earlier.epoch() <= vm.epoch();
        return continues ? TopNumbers.perSecond((vm.epoch() - earlier.epoch()) / seconds) : NONE;
    }

    /** How much of the disks the backup lacks: a share while it gets a copy, afterwards what is under way. */
    private static String disk(VmStatus vm) {
        if (vm.disk().isEmpty()) {
            return NONE;
        }
        int synced = 100;
        long pending = 0;
        for (DiskStatus disk : vm.disk()) {
            Integer percent = disk.syncedPercent();
            synced = percent == null ? synced : Math.min(synced, percent);
            pending += Math.min(disk.pendingBytes(), Long.MAX_VALUE - pending);
        }
        return synced < 100 ? synced + "%" : TopNumbers.bytes(pending);
    }

    /** What has no column at this width; empty when there is nothing to say. */
    String besides(VmStatus vm) {
        List<String> parts = new ArrayList<>();
        if (!columns.contains(Column.PEER) && vm.peer() != null) {
            parts.add((vm.role() == VmRole.PRIMARY ? "backup " : "primary ") + value(Column.PEER, vm));
        }
        if (!columns.contains(Column.DISK) && !vm.disk().isEmpty()) {
            parts.add("disk " + value(Column.DISK, vm));
        }
        if (!columns.contains(Column.CLOCK) && vm.guestClockLagMillis() > 0) {
            parts.add("clock " + value(Column.CLOCK, vm) + " behind");
        }
        return String.join("   ", parts);
    }

    /** Why the VM is in its state; empty when there is nothing to say. */
    static String reason(VmStatus vm) {
        String reason = vm.reason();
        return reason == null ? "" : Printable.line(reason);
    }
}

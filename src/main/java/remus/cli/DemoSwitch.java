package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import remus.cli.DemoTopology.Place;

/**
 * What the demo's bridge lets through, and what it has seen: packet filter rules where each cable enters it.
 *
 * <p>A cut drops what one host sends to another, in one direction, and nothing that a VM sends: clients reach both hosts as
 * before, so that a VM that ran twice would be seen twice. The capture counts a VM's frames in the order in which the bridge
 * gets them, and those of the former owner apart that come after the next owner's first: by the kernel, so that no frame is
 * missed. Rules go with the namespace. Confined to one thread.
 */
final class DemoSwitch {
    private static final String VM_MAC = "52:54:00:12:34:56";

    private final DemoTopology topology;

    /**
     * The VM's frames since {@link #capture}.
     *
     * @param ofFormer from the host that ran it
     * @param ofNext from the other one
     * @param late from the host that ran it, after the first one of the other
     */
    record Frames(long ofFormer, long ofNext, long late) {}

    /** Nothing is cut yet. */
    DemoSwitch(DemoTopology topology) throws CommandException {
        this.topology = topology;
        StringBuilder rules = new StringBuilder("table netdev cuts {\n  set cut { type ether_addr . ether_addr; }\n");
        for (Place place : Place.CABLED) {
            rules.append("""
                      chain from_%1$s {
                        type filter hook ingress device "%1$s" priority 0
                        ether saddr . ether daddr @cut drop
                      }
                    """.formatted(place));
        }
        load(rules.append("}\n").toString());
    }

    /** From now on {@code to} gets nothing that {@code from} sends. */
    void cut(Place from, Place to) throws CommandException {
        load("add element netdev cuts cut { %s . %s }\n".formatted(from.mac(), to.mac()));
    }

    /** Everybody hears everybody again. */
    void heal() throws CommandException {
        load("flush set netdev cuts cut\n");
    }

    /** Begins to capture a VM that runs on {@code former} and may come to run on {@code next}. */
    void capture(Place former, Place next) throws CommandException {
        load("""
                table netdev capture {}
                delete table netdev capture
                table netdev capture {
                  set taken { type ether_addr; flags dynamic; size 16; }
                  counter former {}
                  counter next {}
                  counter late {}
                  chain from_former {
                    type filter hook ingress device "%1$s" priority -10
                    ether saddr %3$s counter name "former"
                    ether saddr %3$s ether saddr @taken counter name "late"
                  }
                  chain from_next {
                    type filter hook ingress device "%2$s" priority -10
                    ether saddr %3$s counter name "next"
                    ether saddr %3$s add @taken { ether saddr }
                  }
                }
                """.formatted(former, next, VM_MAC));
    }

    /** What was captured until now. */
    Frames frames() throws CommandException {
        String text = nft(List.of("list", "counters", "table", "netdev", "capture"), "");
        return new Frames(packets(text, "former"), packets(text, "next"), packets(text, "late"));
    }

    private static long packets(String text, String counter) throws CommandException {
        Matcher matcher =
                Pattern.compile("counter " + counter + " \\{\\s*packets (\\d+)").matcher(text);
        if (!matcher.find()) {
            throw new CommandException("nft: no counter %s in: %s".formatted(counter, text));
        }
        return Long.parseLong(matcher.group(1));
    }

    private void load(String rules) throws CommandException {
        nft(List.of("-f", "-"), rules);
    }

    private String nft(List<String> arguments, String input) throws CommandException {
        List<String> command = new ArrayList<>(List.of("nft"));
        command.addAll(arguments);
        try {
            Process process = new ProcessBuilder(topology.inside(Place.CLIENT, command))
                    .redirectErrorStream(true)
                    .start();
            try (OutputStream in = process.getOutputStream()) {
                in.write(input.getBytes(UTF_8));
            }
            String text = new String(process.getInputStream().readAllBytes(), UTF_8);
            if (process.waitFor() != 0) {
                throw new CommandException("nft: " + text.strip());
            }
            return text;
        } catch (IOException e) {
            throw new CommandException("nft: can't be run: %s; install nftables".formatted(e.getMessage()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted", e);
        }
    }
}

package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * What several hosts have at one moment.
 *
 * @param state what goes on then, such as {@code empty}: two of the same state can be compared
 */
record Census(String state, List<HostCount> hosts) {
    Census {
        hosts = List.copyOf(hosts);
    }

    /** What is there now and was not before: a line for each, for people. The hosts must be the same, in the same order. */
    List<String> leaksSince(Census before) {
        if (hosts.size() != before.hosts.size()) {
            throw new IllegalArgumentException("a census of other hosts: " + before);
        }
        List<String> leaks = new ArrayList<>();
        for (int i = 0; i < hosts.size(); i++) {
            for (String leak : hosts.get(i).leaksSince(before.hosts.get(i))) {
                leaks.add("%s: %s".formatted(state, leak));
            }
        }
        return leaks;
    }

    /** Over all hosts. */
    long sum(ToLongFunction<HostCount> figure) {
        return hosts.stream().mapToLong(figure).sum();
    }
}

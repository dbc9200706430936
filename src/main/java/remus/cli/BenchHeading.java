package remus.cli;

import remus.base.ByteSize;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;

/** The line of a bench's report that says when and on what it was measured. */
final class BenchHeading {
    private BenchHeading() {}

    static String of(BenchReport<?> report) {
        BenchMachine machine = report.machine();
        return "%s, %d CPUs, %s, Linux %s, QEMU %s (%s), JDK %s"
                .formatted(
                        report.date(),
                        machine.cpus(),
                        new ByteSize(machine.memoryBytes()),
                        machine.kernel(),
                        machine.qemu(),
                        machine.accelerator(),
                        machine.jdk());
    }
}

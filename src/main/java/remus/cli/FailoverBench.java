package remus.cli;

import java.io.PrintWriter;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import remus.base.RemusException;
import remus.bench.BenchException;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.FailoverCase;
import remus.bench.FailoverSettings;
import remus.bench.FailoverTally;
import remus.bench.StopSignal;
import remus.qemu.Accelerator;
import remus.qemu.QemuInstallation;

/**
 * Measures failovers: the demo with as many kills as wanted, and a report that divides the client's stall. Confined to the
 * thread that calls {@link #run}; what was made is gone when that ends, however it ends.
 */
final class FailoverBench {
    private static final String NAME = "failover";

    private FailoverBench() {}

    /** @param progress is told what goes on, for people */
    static BenchReport<FailoverCase> run(FailoverSettings settings, Terminal terminal, Consumer<String> progress)
            throws BenchException {
        return StopSignal.during("the failovers could not be measured", stop -> measure(settings, terminal, progress));
    }

    private static BenchReport<FailoverCase> measure(
            FailoverSettings settings, Terminal terminal, Consumer<String> progress)
            throws RemusException, InterruptedException {
        BenchMachine machine = BenchMachine.read(QemuInstallation.probe(), Accelerator.TCG);
        DemoApplication.Kind guest = DemoApplication.Kind.REDIS;
        List<KillKind> kills = DemoCommand.Kills.valueOf(settings.kill().toUpperCase(Locale.ROOT))
                .inTurn();
        Demo.Plan plan = new Demo.Plan(guest, settings.kills(), kills, settings.detect(), false, System.nanoTime());
        FailoverTally tally = new FailoverTally(settings);
        try (DemoStage stage = new DemoStage(terminal, "remus-bench-" + NAME + "-");
                PrintWriter lines = new PrintWriter(new LineWriter(progress), true)) {
            Demo demo = new Demo(plan, new DemoDisplay(lines, guest.writes(), false), stage);
            DemoReport report = demo.run();
            for (DemoRound round : demo.rounds()) {
                tally.add(new FailoverTally.Kill(
                        round.kill().toString(),
                        round.activated(),
                        round.stallMillis(),
                        round.detectionMillis(),
                        round.activationMillis(),
                        round.firstAnswerMillis()));
            }
            FailoverCase summary =
                    tally.summary(new FailoverTally.Client(report.acknowledged(), report.lost(), report.resets()));
            return new BenchReport<>(NAME, LocalDate.now(ZoneId.systemDefault()).toString(), machine, List.of(summary));
        }
    }
}

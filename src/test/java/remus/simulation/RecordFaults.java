package remus.simulation;

import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.BackupEvent;
import remus.availability.BackupState;
import remus.availability.Inquiry;
import remus.availability.OwnershipAction;
import remus.availability.OwnershipRecord;
import remus.availability.OwnershipRecord.Phase;
import remus.availability.PrimaryEvent;
import remus.availability.PrimaryState;
import remus.availability.RequestId;
import remus.availability.Requests;
import remus.availability.Step;

/** Deliberate faults of what the record allows. */
final class RecordFaults {
    private RecordFaults() {}

    /** Passes everything on. */
    private static class Through implements Arbiter {
        final Arbiter real;
        final Daemon daemon;

        Through(Daemon daemon, Arbiter real) {
            this.daemon = daemon;
            this.real = real;
        }

        @Override
        public void read(String vm, Consumer<? super ReadOutcome> answer) {
            real.read(vm, answer);
        }

        @Override
        public void set(
                String vm,
                @Nullable OwnershipRecord expected,
                OwnershipRecord next,
                Consumer<? super SetOutcome> answer) {
            real.set(vm, expected, next, answer);
        }

        @Override
        public void close() {
            real.close();
        }

        BackupState.@Nullable Role backup() {
            BackupSide side = daemon.backup();
            return side == null ? null : side.role();
        }

        PrimaryState.@Nullable Role primary() {
            PrimarySide side = daemon.primary();
            return side == null ? null : side.role();
        }
    }

    /** The backup grants itself whatever it wants. */
    static final class ActivatesUnasked extends Sabotage {
        @Override
        Arbiter arbiter(Daemon daemon, Arbiter real) {
            return new Through(daemon, real) {
                @Override
                public void read(String vm, Consumer<? super ReadOutcome> answer) {
                    BackupState.Role role = backup();
                    BackupState.Session session = role == null ? null : role.session();
                    if (session == null) {
                        super.read(vm, answer);
                    } else {
                        answer.accept(new ReadOutcome.Found(OwnershipRecord.protectedBy(
                                session.term(), session.primary(), daemon.name(), new RequestId("believed"))));
                    }
                }

                @Override
                public void set(
                        String vm,
                        @Nullable OwnershipRecord expected,
                        OwnershipRecord next,
                        Consumer<? super SetOutcome> answer) {
                    if (backup() == null) {
                        super.set(vm, expected, next, answer);
                    } else {
                        answer.accept(new SetOutcome.Done());
                    }
                }
            };
        }
    }

    /** The primary goes on alone while it asks whether it may. */
    static final class GoesAloneUnasked extends Sabotage {
        private boolean goes;

        @Override
        PrimaryEvent primaryEvent(PrimarySide side, PrimaryEvent event) {
            goes = event instanceof PrimaryEvent.BackupLost && side.role() instanceof PrimaryState.Protected;
            return event;
        }

        @Override
        void afterStep(PrimarySide side) {
            if (goes && side.role() instanceof PrimaryState.GoingAlone) {
                goes = false;
                side.perform(new OwnershipAction.Flow());
            }
        }
    }

    /** A backup activates although its primary has gone on alone. */
    static final class StaleBackupActivates extends Sabotage {
        @Override
        Arbiter arbiter(Daemon daemon, Arbiter real) {
            return new Through(daemon, real) {
                @Override
                public void read(String vm, Consumer<? super ReadOutcome> answer) {
                    super.read(vm, outcome -> {
                        boolean stale = outcome instanceof ReadOutcome.Found(OwnershipRecord found)
                                && backup() instanceof BackupState.Checking checking
                                && found.phase() == Phase.ALONE
                                && !found.isOwnedBy(daemon.name())
                                && !checking.session().term().isAfter(found.term());
                        if (stale && outcome instanceof ReadOutcome.Found(OwnershipRecord found)) {
                            daemon.post(() -> daemon.withBackup(side -> activate(side, found)));
                        } else {
                            answer.accept(outcome);
                        }
                    });
                }
            };
        }

        private static void activate(BackupSide side, OwnershipRecord found) {
            if (!(side.role() instanceof BackupState.Checking checking)) {
                return;
            }
            Requests before = side.ownership().state().requests();
            Requests after =
                    new Requests(before.self(), before.incarnation(), before.asked() + 1, before.requested() + 1);
            OwnershipRecord next = OwnershipRecord.activating(
                    found.term().next(),
                    before.self(),
                    checking.session().primary(),
                    RequestId.of(before.self(), before.incarnation(), after.requested()));
            Inquiry inquiry =
                    new Inquiry(new Inquiry.Change(found, next), false, new Inquiry.Step.Setting(after.asked()));
            side.restate(new Step<>(
                    new BackupState(after, new BackupState.Requesting(checking.session(), inquiry)),
                    List.of(
                            new OwnershipAction.AcknowledgeNoMore(
                                    checking.session().term()),
                            new OwnershipAction.AskArbiter(
                                    after.asked(), new OwnershipAction.Question.Set(found, next)))));
        }
    }

    /** A session given up leaves its term to the next one. */
    static final class ReusesTerm extends Sabotage {
        @Override
        void afterStep(PrimarySide side) {
            if (side.role() instanceof PrimaryState.Alone(OwnershipRecord record, boolean spent) && spent) {
                go(side, new PrimaryState.Alone(record, false));
            }
        }
    }

    /** After an unknown outcome a record that has not changed counts as a refusal that can't take effect any more. */
    static final class UnchangedMeansRefused extends Sabotage {
        @Override
        Arbiter arbiter(Daemon daemon, Arbiter real) {
            return new Through(daemon, real) {
                @Override
                public void set(
                        String vm,
                        @Nullable OwnershipRecord expected,
                        OwnershipRecord next,
                        Consumer<? super SetOutcome> answer) {
                    super.set(vm, expected, next, outcome -> {
                        if (!(outcome instanceof SetOutcome.Unknown)) {
                            answer.accept(outcome);
                            return;
                        }
                        super.read(vm, read -> {
                            boolean unchanged = read instanceof ReadOutcome.Found(OwnershipRecord found)
                                    && Objects.equals(found, expected);
                            if (unchanged && expected != null && primary() instanceof PrimaryState.Entering) {
                                daemon.post(() -> daemon.withPrimary(side -> goBack(side, expected)));
                            } else {
                                answer.accept(unchanged ? new SetOutcome.Refused(expected) : outcome);
                            }
                        });
                    });
                }
            };
        }

        private static void goBack(PrimarySide side, OwnershipRecord record) {
            if (side.role() instanceof PrimaryState.Entering entering) {
                side.perform(new OwnershipAction.EndSession(entering.session().term(), "refused"));
                go(side, new PrimaryState.Alone(record, true));
                side.perform(new OwnershipAction.Flow());
            }
        }
    }

    /** A record older than the session counts as the end of it. */
    static final class DropsWhenOlder extends Sabotage {
        @Override
        void afterStep(BackupSide side) {
            if (side.role() instanceof BackupState.Checking checking && checking.reported()) {
                side.on(new BackupEvent.ImageLost("the record is another one"));
            }
        }
    }

    /** The backup goes on receiving and acknowledging after it has asked to activate. */
    static final class AcknowledgesWhileActivating extends Sabotage {
        @Override
        List<OwnershipAction> backupActions(BackupSide side, OwnershipAction action) {
            boolean leftOut = action instanceof OwnershipAction.AcknowledgeNoMore
                    || action instanceof OwnershipAction.TellPrimaryActivating;
            return leftOut ? List.of() : List.of(action);
        }

        @Override
        BackupEvent backupEvent(BackupSide side, BackupEvent event) {
            boolean asked = side.role() instanceof BackupState.Requesting
                    || side.role() instanceof BackupState.Activating
                    || side.role() instanceof BackupState.Confirming;
            if (asked && event instanceof BackupEvent.CheckpointWhole(var session, var epoch)) {
                side.perform(new OwnershipAction.Acknowledge(session, epoch));
            }
            return event;
        }
    }

    /** A daemon that was started anew takes a record of its host's own for leave to go on. */
    static final class TrustsOldRecord extends Sabotage {
        @Override
        Arbiter arbiter(Daemon daemon, Arbiter real) {
            return new Through(daemon, real) {
                @Override
                public void read(String vm, Consumer<? super ReadOutcome> answer) {
                    super.read(vm, outcome -> {
                        if (outcome instanceof ReadOutcome.Found(OwnershipRecord found)
                                && found.isOwnedBy(daemon.name())
                                && primary() instanceof PrimaryState.GoingAlone going
                                && going.inquiry().change() == null) {
                            daemon.post(() -> daemon.withPrimary(side -> {
                                go(side, new PrimaryState.Alone(found, false));
                                side.perform(new OwnershipAction.ResumeGuest());
                                side.perform(new OwnershipAction.Flow());
                            }));
                        } else {
                            answer.accept(outcome);
                        }
                    });
                }
            };
        }
    }

    /** The loser does not wait until the other runs. */
    static final class LoserKills extends Sabotage {
        @Override
        List<OwnershipAction> primaryActions(PrimarySide side, OwnershipAction action) {
            return action instanceof OwnershipAction.PauseGuest ? List.of() : List.of(action);
        }

        @Override
        void afterStep(PrimarySide side) {
            if (side.role() instanceof PrimaryState.Waiting) {
                side.kill();
                go(side, new PrimaryState.Gone("lost"));
            }
        }
    }

    private static void go(PrimarySide side, PrimaryState.Role role) {
        side.restate(new Step<>(new PrimaryState(side.ownership().state().requests(), role), List.of()));
    }
}

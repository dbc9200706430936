package remus.availability;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;

/**
 * Protocols that break one rule each, to prove that the search would find it. Everything else is the real protocol's.
 * Those marked with the design's own sentence leave that sentence out.
 */
enum ModelSabotage implements ModelRules {
    /** Without: <em>a term of its own, never reused, not even after a session given up</em>. */
    A_GIVEN_UP_SESSIONS_TERM_IS_USED_AGAIN {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            return state.role() instanceof PrimaryState.Alone(OwnershipRecord record, boolean spent) && spent
                    ? ModelRules.REAL.primary(with(state, new PrimaryState.Alone(record, false)), event)
                    : ModelRules.REAL.primary(state, event);
        }
    },
    /** Without: <em>from the first full checkpoint sent, A flows freely again only after a new change alone</em>. */
    A_GIVEN_UP_SESSION_LEAVES_THE_OLD_RECORD_IN_FORCE {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            boolean givenUp =
                    event instanceof PrimaryEvent.BackupLost || event instanceof PrimaryEvent.UnprotectRequested;
            return switch (state.role()) {
                case PrimaryState.Joining(OwnershipRecord record, PrimaryState.Session _)
                when givenUp -> flow(state, record);
                case PrimaryState.Entering entering when givenUp -> flow(state, entering.record());
                default -> ModelRules.REAL.primary(state, event);
            };
        }
    },
    /** Without: <em>a record older than B's session means "not yet protected": B keeps its image and waits</em>. */
    AN_OLDER_RECORD_MEANS_THAT_THE_IMAGE_IS_OF_NO_USE {
        @Override
        public Step<BackupState> backup(BackupState state, BackupEvent event) {
            Step<BackupState> step = ModelRules.REAL.backup(state, event);
            return step.state().role() instanceof BackupState.Checking checking && checking.reported()
                    ? drop(step)
                    : step;
        }
    },
    /** Without: <em>refused: it reads; it has lost only if another host is the owner</em>. */
    A_REFUSAL_MEANS_THAT_ALL_IS_LOST {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            return state.role() instanceof PrimaryState.GoingAlone && isRefusal(event)
                    ? gone(state)
                    : ModelRules.REAL.primary(state, event);
        }
    },
    /** Without: <em>if the record is still its own, it asks again on that term</em>. */
    A_REFUSED_HOST_ASKS_AGAIN_ON_THE_OLD_TERM {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            if (state.role() instanceof PrimaryState.GoingAlone going
                    && going.inquiry().change() != null
                    && (event instanceof PrimaryEvent.Answered(long _, Arbiter.SetOutcome.Refused _)
                            || event instanceof PrimaryEvent.Answered(long _, Arbiter.ReadOutcome.Found _))) {
                Step<PrimaryState> step = ModelRules.REAL.primary(state, event);
                if (step.state().role() instanceof PrimaryState.GoingAlone) {
                    Inquiry resting = new Inquiry(going.inquiry().change(), true, new Inquiry.Step.Resting(false));
                    return new Step<>(
                            with(state, new PrimaryState.GoingAlone(resting, going.former(), false, false)),
                            List.of(new OwnershipAction.AskAgainLater()));
                }
                return step;
            }
            return ModelRules.REAL.primary(state, event);
        }
    },
    /** Without: <em>if loading fails, B keeps its image and the activating record and tries again</em>. */
    A_FAILED_LOAD_ENDS_THE_ACTIVATION {
        @Override
        public Step<BackupState> backup(BackupState state, BackupEvent event) {
            return event instanceof BackupEvent.LoadFailed
                    ? drop(new Step<>(state, List.of()))
                    : ModelRules.REAL.backup(state, event);
        }
    },
    /** Without: <em>a paused host that finds the record protected and its own asks for alone</em>. */
    A_PAUSED_OWNER_WAITS_FOR_EVER {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            return state.role() instanceof PrimaryState.Waiting waiting
                            && event instanceof PrimaryEvent.ActivationOverdue
                            && waiting.seen() != null
                            && waiting.seen().phase() == OwnershipRecord.Phase.PROTECTED
                    ? new Step<>(state, List.of())
                    : ModelRules.REAL.primary(state, event);
        }
    },
    /** Without: <em>unchanged proves nothing</em>, on the primary that wants its backup in the record. */
    AN_UNCHANGED_RECORD_MEANS_THAT_THE_BACKUP_WAS_REFUSED {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            return state.role() instanceof PrimaryState.Entering entering && isUnchanged(entering.inquiry(), event)
                    ? flow(state, entering.record())
                    : ModelRules.REAL.primary(state, event);
        }
    },
    /** Without: <em>unchanged proves nothing</em>, on the backup that wants to activate. */
    AN_UNCHANGED_RECORD_MEANS_THAT_THE_ACTIVATION_WAS_REFUSED {
        @Override
        public Step<BackupState> backup(BackupState state, BackupEvent event) {
            return state.role() instanceof BackupState.Requesting(BackupState.Session session, Inquiry inquiry)
                            && isUnchanged(inquiry, event)
                    ? new Step<>(
                            new BackupState(state.requests(), new BackupState.Standing(session, EpochId.NONE.next())),
                            List.of())
                    : ModelRules.REAL.backup(state, event);
        }
    },
    /** Without: <em>recognise one's own requestId</em>. */
    ITS_OWN_REQUEST_IS_NOT_RECOGNISED {
        @Override
        public Step<BackupState> backup(BackupState state, BackupEvent event) {
            return state.role() instanceof BackupState.Requesting
                            && event
                                    instanceof
                                    BackupEvent.Answered(long _, Arbiter.ReadOutcome.Found(OwnershipRecord r))
                            && r.phase() == OwnershipRecord.Phase.ACTIVATING
                    ? drop(new Step<>(state, List.of()))
                    : ModelRules.REAL.backup(state, event);
        }
    },
    /** Only then A releases: not at the acknowledgement that leads to the record. */
    COMMITS_RELEASE_BEFORE_THE_RECORD_NAMES_THE_BACKUP {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            Step<PrimaryState> step = ModelRules.REAL.primary(state, event);
            return state.role() instanceof PrimaryState.Entering
                            && event instanceof PrimaryEvent.Acknowledged(Term _, EpochId epoch)
                    ? then(step, new OwnershipAction.Release(epoch))
                    : step;
        }
    },
    /** Holding starts at the pause of the first full checkpoint: not when the backup has it. */
    OUTPUT_FLOWS_UNTIL_THE_FIRST_CHECKPOINT_IS_ACKNOWLEDGED {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            Step<PrimaryState> step = ModelRules.REAL.primary(state, event);
            if (event instanceof PrimaryEvent.FirstCheckpointPaused) {
                return new Step<>(step.state(), List.of());
            }
            return step.state().role() instanceof PrimaryState.Entering ? then(step, new OwnershipAction.Hold()) : step;
        }
    },
    /** Acknowledgements are checked for their term. */
    ANY_SESSIONS_ACKNOWLEDGEMENT_COUNTS {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            PrimaryState.Session session = state.role().session();
            return session != null && event instanceof PrimaryEvent.Acknowledged(Term _, EpochId epoch)
                    ? ModelRules.REAL.primary(state, new PrimaryEvent.Acknowledged(session.term(), epoch))
                    : ModelRules.REAL.primary(state, event);
        }
    },
    /** A backup never acknowledges again from the moment it sends the request to activate. */
    THE_BACKUP_ACKNOWLEDGES_WHILE_IT_ACTIVATES {
        @Override
        public Step<BackupState> backup(BackupState state, BackupEvent event) {
            boolean asked =
                    state.role() instanceof BackupState.Requesting || state.role() instanceof BackupState.Activating;
            if (asked && event instanceof BackupEvent.CheckpointWhole(Term session, EpochId epoch)) {
                return new Step<>(state, List.of(new OwnershipAction.Acknowledge(session, epoch)));
            }
            return without(
                    ModelRules.REAL.backup(state, event),
                    action -> action instanceof OwnershipAction.AcknowledgeNoMore
                            || action instanceof OwnershipAction.TellPrimaryActivating);
        }
    },
    /** B sets activating; then activates. */
    THE_BACKUP_ACTIVATES_WITHOUT_THE_RECORD {
        @Override
        public Step<BackupState> backup(BackupState state, BackupEvent event) {
            if (state.role() instanceof BackupState.Standing(BackupState.Session session, EpochId _)
                    && event instanceof BackupEvent.PrimaryLost) {
                HostId self = state.requests().self();
                OwnershipRecord granted = OwnershipRecord.activating(
                        session.term().next(), self, session.primary(), RequestId.of(self, "own", 0));
                return new Step<>(
                        new BackupState(state.requests(), new BackupState.Activating(granted, session, null)),
                        List.of(
                                new OwnershipAction.AcknowledgeNoMore(session.term()),
                                new OwnershipAction.LoadStandby()));
            }
            Step<BackupState> step = ModelRules.REAL.backup(state, event);
            return event instanceof BackupEvent.StandbyRuns ? then(step, new OwnershipAction.Flow()) : step;
        }
    },
    /** B may activate only if the record is protected: not if its primary went alone. */
    A_STALE_BACKUP_ACTIVATES_FROM_ANY_RECORD {
        @Override
        public Step<BackupState> backup(BackupState state, BackupEvent event) {
            if (state.role() instanceof BackupState.Checking checking
                    && event instanceof BackupEvent.Answered(long ask, Arbiter.ReadOutcome.Found(OwnershipRecord found))
                    && checking.inquiry().step().equals(new Inquiry.Step.Reading(ask))
                    && !found.isOwnedBy(state.requests().self())
                    && !checking.session().term().isAfter(found.term())) {
                Turn turn = new Turn(state.requests());
                turn.act(
                        new OwnershipAction.AcknowledgeNoMore(checking.session().term()));
                OwnershipRecord next = OwnershipRecord.activating(
                        found.term().next(), turn.self(), checking.session().primary(), turn.newRequest());
                BackupState.Role role =
                        new BackupState.Requesting(checking.session(), Inquiry.change(turn, found, next));
                return new Step<>(new BackupState(turn.requests(), role), turn.actions());
            }
            return ModelRules.REAL.backup(state, event);
        }
    },
    /** B sets alone when the VM runs, and only then releases. */
    THE_ACTIVATED_VM_RELEASES_BEFORE_IT_IS_ALONE {
        @Override
        public Step<BackupState> backup(BackupState state, BackupEvent event) {
            Step<BackupState> step = ModelRules.REAL.backup(state, event);
            return event instanceof BackupEvent.StandbyRuns ? then(step, new OwnershipAction.Flow()) : step;
        }
    },
    /** A primary without its backup holds until the record says that it is alone. */
    THE_PRIMARY_GOES_ALONE_WITHOUT_THE_RECORD {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            Step<PrimaryState> step = ModelRules.REAL.primary(state, event);
            return event instanceof PrimaryEvent.BackupLost && step.state().role() instanceof PrimaryState.GoingAlone
                    ? then(step, new OwnershipAction.Flow())
                    : step;
        }
    },
    /** The loser waits until the record says that the other runs. */
    THE_LOSER_KILLS_ITS_GUEST_AT_ONCE {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            Step<PrimaryState> step = ModelRules.REAL.primary(state, event);
            return step.state().role() instanceof PrimaryState.Waiting waiting
                            && waiting.seen() != null
                            && waiting.seen().phase() == OwnershipRecord.Phase.ACTIVATING
                    ? gone(step.state())
                    : step;
        }
    },
    /** A living loser may take back an activating record: not one that says that the other is alone. */
    THE_LOSER_TAKES_BACK_WHAT_ALREADY_RUNS {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            Step<PrimaryState> step = ModelRules.REAL.primary(state, event);
            if (state.role() instanceof PrimaryState.Waiting
                    && event instanceof PrimaryEvent.Answered(long _, Arbiter.ReadOutcome.Found(OwnershipRecord found))
                    && step.state().role() instanceof PrimaryState.Gone
                    && !found.isOwnedBy(state.requests().self())) {
                Turn turn = new Turn(state.requests());
                Inquiry inquiry =
                        Inquiry.change(turn, found, turn.alone(found.term().next()));
                PrimaryState.Role role = new PrimaryState.Waiting(found, true, inquiry);
                return new Step<>(new PrimaryState(turn.requests(), role), turn.actions());
            }
            return step;
        }
    },
    /** A restarted daemon releases nothing before it has set a new alone term. */
    A_RESTARTED_DAEMON_TRUSTS_THE_OLD_RECORD {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            return state.role() instanceof PrimaryState.GoingAlone going
                            && going.inquiry().change() == null
                            && event
                                    instanceof
                                    PrimaryEvent.Answered(long _, Arbiter.ReadOutcome.Found(OwnershipRecord found))
                            && found.isOwnedBy(state.requests().self())
                    ? flow(state, found)
                    : ModelRules.REAL.primary(state, event);
        }
    },
    /** A primary that was not running for long asks before it releases anything. */
    A_WOKEN_PRIMARY_GOES_ON_WITHOUT_ASKING {
        @Override
        public Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
            return event instanceof PrimaryEvent.WokeLate
                    ? new Step<>(state, List.of())
                    : ModelRules.REAL.primary(state, event);
        }
    };

    private static PrimaryState with(PrimaryState state, PrimaryState.Role role) {
        return new PrimaryState(state.requests(), role);
    }

    /** Acts on the old record as if nothing had been asked. */
    private static Step<PrimaryState> flow(PrimaryState state, OwnershipRecord record) {
        return new Step<>(with(state, new PrimaryState.Alone(record, true)), List.of(new OwnershipAction.Flow()));
    }

    private static Step<PrimaryState> gone(PrimaryState state) {
        return new Step<>(with(state, new PrimaryState.Gone("sabotage")), List.of(new OwnershipAction.KillGuest()));
    }

    private static Step<BackupState> drop(Step<BackupState> step) {
        return new Step<>(
                new BackupState(step.state().requests(), new BackupState.Dropped("sabotage")),
                List.of(new OwnershipAction.DropImage("sabotage")));
    }

    private static <S> Step<S> then(Step<S> step, OwnershipAction last) {
        List<OwnershipAction> actions = new ArrayList<>(step.actions());
        actions.add(last);
        return new Step<>(step.state(), actions);
    }

    private static <S> Step<S> without(Step<S> step, Function<OwnershipAction, Boolean> drops) {
        return new Step<>(
                step.state(),
                step.actions().stream().filter(action -> !drops.apply(action)).toList());
    }

    private static boolean isRefusal(PrimaryEvent event) {
        return event instanceof PrimaryEvent.Answered(long _, Arbiter.SetOutcome.Refused _);
    }

    private static boolean isUnchanged(Inquiry inquiry, PrimaryEvent event) {
        return event instanceof PrimaryEvent.Answered(long _, Arbiter.ReadOutcome.Found(OwnershipRecord found))
                && isExpected(inquiry, found);
    }

    private static boolean isUnchanged(Inquiry inquiry, BackupEvent event) {
        return event instanceof BackupEvent.Answered(long _, Arbiter.ReadOutcome.Found(OwnershipRecord found))
                && isExpected(inquiry, found);
    }

    private static boolean isExpected(Inquiry inquiry, @Nullable OwnershipRecord found) {
        Inquiry.Change change = inquiry.change();
        return change != null && found != null && found.equals(change.expected());
    }
}

package remus.availability;

/** The protocol that a {@link ModelWorld} runs: the real one, or one that breaks a rule. */
interface ModelRules {
    ModelRules REAL = new ModelRules() {};

    default Step<PrimaryState> primary(PrimaryState state, PrimaryEvent event) {
        return PrimaryOwnership.on(state, event);
    }

    default Step<PrimaryState> restarted(Requests requests) {
        return PrimaryOwnership.restarted(requests);
    }

    default Step<BackupState> backup(BackupState state, BackupEvent event) {
        return BackupOwnership.on(state, event);
    }
}

-- A database as autoopt wrote it while its tables had version 2; without Optuna's tables beside them.
BEGIN TRANSACTION;
CREATE TABLE autoopt_epochs (
	study_id INTEGER NOT NULL,
	run_id BIGINT NOT NULL,
	epoch BIGINT NOT NULL,
	train_loss DOUBLE PRECISION NOT NULL,
	valid_loss DOUBLE PRECISION NOT NULL,
	score DOUBLE PRECISION NOT NULL,
	averaged_score DOUBLE PRECISION,
	learning_rate DOUBLE PRECISION NOT NULL,
	gradient_norm DOUBLE PRECISION,
	seconds DOUBLE PRECISION NOT NULL,
	diverged BOOLEAN NOT NULL,
	failure TEXT,
	test_score DOUBLE PRECISION,
	steps BIGINT,
	start_loss DOUBLE PRECISION,
	end_loss DOUBLE PRECISION,
	worst_loss DOUBLE PRECISION,
	gradient_median DOUBLE PRECISION,
	gradient_peak DOUBLE PRECISION,
	gradient_turn DOUBLE PRECISION,
	update_ratio DOUBLE PRECISION,
	lost_updates DOUBLE PRECISION,
	PRIMARY KEY (study_id, run_id, epoch),
	FOREIGN KEY(study_id, run_id) REFERENCES autoopt_runs (study_id, id)
)
 WITHOUT ROWID

;
INSERT INTO "autoopt_epochs" VALUES(1,0,1,1.0,1.1,1.2,NULL,0.001,0.5,0.5,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "autoopt_epochs" VALUES(1,0,2,0.5,0.55,0.6,NULL,0.001,NULL,0.5,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "autoopt_epochs" VALUES(1,1,1,1.0,1.1,'NaN',NULL,0.001,NULL,0.5,1,NULL,NULL,23,1.5,0.5,2.0,0.25,9e999,-0.5,0.001,0.0);
CREATE TABLE autoopt_runs (
	study_id INTEGER NOT NULL,
	id BIGINT NOT NULL,
	recipe TEXT NOT NULL,
	seed BIGINT NOT NULL,
	epochs BIGINT NOT NULL,
	purpose TEXT NOT NULL,
	trial BIGINT,
	cohort BIGINT NOT NULL,
	rungs TEXT NOT NULL,
	state TEXT NOT NULL,
	score DOUBLE PRECISION,
	epochs_done BIGINT NOT NULL,
	seconds DOUBLE PRECISION NOT NULL,
	note TEXT NOT NULL,
	test_score DOUBLE PRECISION,
	PRIMARY KEY (study_id, id),
	FOREIGN KEY(study_id) REFERENCES autoopt_studies (id)
)
 WITHOUT ROWID

;
INSERT INTO "autoopt_runs" VALUES(1,0,'{"optimizer": "adamw", "settings": {"lr": 0.001, "nesterov": true, "foreach": 3, "mode": "fast"}, "schedule": "cosine", "schedule_settings": {"warmup": 0.05}, "batch_size": 64, "clip_norm": 1.0, "clip_value": null, "decay_all": false}',0,20,'search',NULL,0,'[]','running',0.6,2,1.0,'',NULL);
INSERT INTO "autoopt_runs" VALUES(1,1,'{"optimizer": "adamw", "settings": {"lr": 0.002, "nesterov": true, "foreach": 3, "mode": "fast"}, "schedule": "cosine", "schedule_settings": {"warmup": 0.05}, "batch_size": 64, "clip_norm": 1.0, "clip_value": null, "decay_all": false}',1,20,'search',NULL,0,'[]','diverged',NULL,1,0.5,'the loss diverged',NULL);
CREATE TABLE autoopt_schema (
	version INTEGER NOT NULL,
	PRIMARY KEY (version)
);
INSERT INTO "autoopt_schema" VALUES(2);
CREATE TABLE autoopt_studies (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	task TEXT NOT NULL,
	source TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	objective TEXT NOT NULL,
	direction TEXT NOT NULL,
	epochs BIGINT NOT NULL,
	options TEXT NOT NULL,
	seed BIGINT NOT NULL,
	state TEXT NOT NULL,
	created DATETIME NOT NULL,
	updated DATETIME NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);
INSERT INTO "autoopt_studies" VALUES(1,'digits','digits_mlp','studies/digits_mlp.py','abc123','loss','minimize',20,'{"budget": 20, "optimizers": ["sgd", "adamw"]}',7,'running','2026-01-02 03:04:05.678901','2026-11-22 00:01:05.524945');
CREATE TABLE autoopt_verdicts (
	id INTEGER NOT NULL,
	study_id INTEGER NOT NULL,
	created DATETIME NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(study_id) REFERENCES autoopt_studies (id)
);
INSERT INTO "autoopt_verdicts" VALUES(1,1,'2026-11-22 00:01:05.524482','{"schema": 1}');
CREATE INDEX autoopt_runs_totals ON autoopt_runs (study_id, state, score, epochs_done, seconds);
CREATE INDEX ix_autoopt_verdicts_study_id ON autoopt_verdicts (study_id);
COMMIT;

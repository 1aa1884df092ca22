/*
 * The tables of the paper (Wang et al., Meta Feature Modulator, arXiv 2008.03428) as what trains
 * them: for each row and column a command, beside the published figure.
 *
 * A table is data in paper.c: adding one, or a row, is adding lines there.
 */
#ifndef MFM_PAPER_H
#define MFM_PAPER_H

enum { MFM_PAPER_COLUMNS = 6 };

typedef struct mfm_paper_column {
    const char *name;    /* above the column */
    const char *key;     /* of the run: columns of one key differ in their test images only */
    const char *data;    /* which dataset: cifar10, cifar100, fashion-mnist, mit67 */
    const char *options; /* of train, separated by blanks */
    const char *prior;   /* --test-prior of eval; NULL: the run's own test images */
} mfm_paper_column;

typedef struct mfm_paper_row {
    const char *name, *label; /* for --rows; as the table has it */
    const char *data;         /* NULL: the column's */
    const char *options;
    const char *paper[MFM_PAPER_COLUMNS]; /* error in percent; NULL: the table has none */
    const char *note;                     /* what is to be known of the published figures; NULL */
    int epochs;                           /* 0: the table's */
    const char *milestones;               /* of that many epochs; NULL: the table's */
    int defer;                            /* epoch of --defer-reweight; 0: none */
    const char *from_row, *from_key;      /* whose modulator is taken, by row and key; NULL: none */
} mfm_paper_row;

typedef struct mfm_paper_table {
    const char *name, *title;
    const char *architecture, *input; /* of `new`; architecture NULL: `head` of --pretrained */
    const char *options;              /* of all rows */
    int epochs;
    const char *milestones;
    const mfm_paper_column *columns;
    int n_columns;
    const mfm_paper_row *rows;
    int n_rows;
    const char *note; /* below the table; NULL */
} mfm_paper_table;

/* A figure: rows and columns of a table, whose report shows it. */
typedef struct mfm_paper_figure {
    const char *name, *table, *rows;
    const char *keys;  /* of columns, by commas */
    const char *prior; /* test images of another label distribution, as eval --test-prior; NULL */
    const char *where;
} mfm_paper_figure;

extern const mfm_paper_table mfm_paper_tables[];
extern const int mfm_paper_n_tables;
extern const mfm_paper_figure mfm_paper_figures[];
extern const int mfm_paper_n_figures;

#endif

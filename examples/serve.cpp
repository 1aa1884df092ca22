// serve-cpp MODEL.onnx PIXELS: as serve.c, from C++: what the library hands out is freed by
// destructors, and its messages become exceptions.
#include <core/engine/plan/plan.h>
#include <onnx/import/import.h>
#include <onnx/info/preprocess_info.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

class Classifier {
public:
    explicit Classifier(const char *path) : ctx(mfm_ctx_new(nullptr))
    {
        if (!ctx)
            throw std::bad_alloc();
        mfm_model *loaded = nullptr;
        check(mfm_model_load(ctx.get(), path, &loaded));
        model.reset(loaded);
        check(mfm_model_untie(ctx.get(), loaded, nullptr));
        mfm_network *imported = nullptr;
        check(mfm_model_import(ctx.get(), loaded, &imported));
        network = {imported, {ctx.get()}};
        bool told = false;
        check(mfm_preprocess_info_read(ctx.get(), loaded, &info, &told));
        if (!told)
            throw std::runtime_error("the model does not tell its normalisation");
        image = {static_cast<real *>(mfm_alloc_aligned(ctx.get(), pixels(), sizeof(real))),
                 {ctx.get()}};
        if (!image)
            throw std::bad_alloc();
        makePlan();
    }

    // Probabilities of the classes. bytes: [height, width, channels]
    std::vector<double> classify(const std::vector<unsigned char> &bytes)
    {
        if (bytes.size() != pixels())
            throw std::runtime_error("the image is not of the model's size");
        for (size_t i = 0; i < bytes.size(); i++)
            image.get()[i] = static_cast<real>(
                mfm_normalise(&info.normalisation, int(i % size_t(info.channels)), bytes[i]));
        mfm_plan_run(plan.get(), 0);
        const real *logits = mfm_plan_lane(plan.get(), network->logits, MFM_X);
        std::vector<double> shares(logits, logits + network->classes);
        const double top = *std::max_element(shares.begin(), shares.end());
        double sum = 0;
        for (double &share : shares)
            sum += share = std::exp(share - top);
        for (double &share : shares)
            share /= sum;
        return shares;
    }

private:
    void check(int status) const
    {
        if (status)
            throw std::runtime_error(mfm_message(ctx.get()));
    }

    // Numbers of an image.
    size_t pixels() const { return size_t(info.channels) * info.height * info.width; }

    void makePlan()
    {
        static const mfm_pass forward = {MFM_FORWARD, ~0u};
        const mfm_slot keep = {network->logits, MFM_X};
        mfm_plan_spec spec = {};
        spec.batch = 1;
        spec.passes = &forward;
        spec.n_passes = 1;
        spec.keep = &keep;
        spec.n_keep = 1;
        spec.frozen = true;
        mfm_plan *made = nullptr;
        check(mfm_plan_new(ctx.get(), network->graph, &spec, &made));
        plan.reset(made);
        mfm_plan_bind_params(made, MFM_X, network->graph->params);
        mfm_plan_bind_state(made, network->graph->state);
        mfm_plan_bind_input(made, network->images, MFM_X, image.get());
        check(mfm_plan_check_bound(made));
    }

    struct Free {
        void operator()(mfm_ctx *ctx) const { mfm_ctx_free(ctx); }
        void operator()(mfm_model *model) const { mfm_model_free(model); }
        void operator()(mfm_plan *plan) const { mfm_plan_free(plan); }
    };
    struct FreeIn { // what is freed in the context that it is of
        mfm_ctx *ctx;
        void operator()(mfm_network *network) const { mfm_network_free(ctx, network); }
        void operator()(real *numbers) const { mfm_free_aligned(ctx, numbers); }
    };

    // Freed from the last to the first, also when the constructor throws.
    std::unique_ptr<mfm_ctx, Free> ctx;
    std::unique_ptr<mfm_model, Free> model;
    std::unique_ptr<mfm_network, FreeIn> network;
    mfm_preprocess_info info = {};
    std::unique_ptr<real, FreeIn> image;
    std::unique_ptr<mfm_plan, Free> plan;
};

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::cerr << "usage: serve-cpp MODEL.onnx PIXELS\n";
        return 2;
    }
    try {
        std::ifstream file(argv[2], std::ios::binary);
        const std::vector<unsigned char> pixels{std::istreambuf_iterator<char>(file), {}};
        const auto shares = Classifier(argv[1]).classify(pixels);
        const auto best = std::max_element(shares.begin(), shares.end());
        std::cout << "class " << best - shares.begin() << ": " << 100 * *best << " %\n";
    } catch (const std::exception &error) {
        std::cerr << "serve-cpp: " << error.what() << "\n";
        return 1;
    }
}

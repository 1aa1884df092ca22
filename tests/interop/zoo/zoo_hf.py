"""Hugging Face's classifiers of images, small, with weights at random; zoo_files.py exports them.

A name is FAMILY or FAMILY-ATTENTION (eager, sdpa): MODELS has the class and what its
configuration has other than transformers' own values.
"""
import transformers

TINY = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
        "intermediate_size": 96, "image_size": 64, "patch_size": 16}
SWIN = {"image_size": 64, "patch_size": 4, "embed_dim": 24, "depths": [2, 2, 2],
        "num_heads": [2, 4, 8], "window_size": 4}
CONVNEXT = {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 2, 1], "image_size": 64}
DINO = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 56,
        "patch_size": 14}
STAGES = {"embedding_size": 16, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 2, 1, 1]}
MODELS = {
    "vit": ("ViTForImageClassification", TINY),
    "deit": ("DeiTForImageClassification", TINY),
    "deit_teacher": ("DeiTForImageClassificationWithTeacher", TINY),
    "vit_msn": ("ViTMSNForImageClassification", TINY),
    "ijepa": ("IJepaForImageClassification", TINY),
    "beit": ("BeitForImageClassification", {**TINY, "use_relative_position_bias": True}),
    "beit_shared": ("BeitForImageClassification",
                    {**TINY, "use_shared_relative_position_bias": True,
                     "use_absolute_position_embeddings": True, "use_mean_pooling": False}),
    "data2vec": ("Data2VecVisionForImageClassification",
                 {**TINY, "use_relative_position_bias": True}),
    "dinov2": ("Dinov2ForImageClassification", DINO),
    "dinov2_swiglu": ("Dinov2ForImageClassification", {**DINO, "use_swiglu_ffn": True}),
    "dinov2_registers": ("Dinov2WithRegistersForImageClassification", DINO),
    "swin": ("SwinForImageClassification", SWIN),
    "swin_absolute": ("SwinForImageClassification",
                      {**SWIN, "use_absolute_embeddings": True}),
    "swinv2": ("Swinv2ForImageClassification", SWIN),
    "convnext": ("ConvNextForImageClassification", CONVNEXT),
    "convnextv2": ("ConvNextV2ForImageClassification", CONVNEXT),
    "resnet": ("ResNetForImageClassification", STAGES),
    "resnet_basic": ("ResNetForImageClassification", {**STAGES, "layer_type": "basic"}),
    "regnet": ("RegNetForImageClassification", {**STAGES, "groups_width": 8}),
    "regnet_x": ("RegNetForImageClassification",
                 {**STAGES, "groups_width": 8, "layer_type": "x"}),
    "bit": ("BitForImageClassification", {**STAGES, "num_groups": 8}),
    "bit_bottleneck": ("BitForImageClassification",
                       {**STAGES, "num_groups": 8, "layer_type": "bottleneck",
                        "global_padding": "SAME"}),
    "hgnet_v2": ("HGNetV2ForImageClassification",
                 {"hidden_sizes": [32, 64, 96, 128], "depths": [1, 1, 1, 1],
                  "embedding_size": 16, "stem_channels": [3, 8, 16],
                  "stage_in_channels": [16, 32, 64, 96], "stage_mid_channels": [8, 16, 24, 32],
                  "stage_out_channels": [32, 64, 96, 128], "stage_num_blocks": [1, 1, 2, 1],
                  "stage_numb_of_layers": [2, 2, 2, 2], "use_learnable_affine_block": True}),
    "poolformer": ("PoolFormerForImageClassification",
                   {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 2, 1]}),
    "levit": ("LevitForImageClassification",
              {"image_size": 64, "hidden_sizes": [32, 48, 64], "num_attention_heads": [2, 3, 4],
               "depths": [2, 2, 2], "key_dim": [16, 16, 16]}),
    "levit_teacher": ("LevitForImageClassificationWithTeacher",
                      {"image_size": 64, "hidden_sizes": [32, 48, 64],
                       "num_attention_heads": [2, 3, 4], "depths": [2, 2, 2],
                       "key_dim": [16, 16, 16]}),
    "mobilevit": ("MobileViTForImageClassification",
                  {"image_size": 64, "hidden_sizes": [32, 40, 48],
                   "neck_hidden_sizes": [8, 16, 24, 32, 40, 48, 64]}),
    "mobilevitv2": ("MobileViTV2ForImageClassification",
                    {"image_size": 64, "base_attn_unit_dims": [32, 48, 64],
                     "n_attn_blocks": [1, 2, 1], "width_multiplier": 0.5}),
    "mobilenet_v1": ("MobileNetV1ForImageClassification",
                     {"image_size": 64, "depth_multiplier": 0.25}),
    "mobilenet_v1_free": ("MobileNetV1ForImageClassification",
                          {"image_size": 64, "depth_multiplier": 0.25, "tf_padding": False}),
    "mobilenet_v2": ("MobileNetV2ForImageClassification",
                     {"image_size": 64, "depth_multiplier": 0.35}),
    "efficientnet": ("EfficientNetForImageClassification",
                     {"image_size": 64, "width_coefficient": 0.5, "depth_coefficient": 0.5,
                      "hidden_dim": 640}),
    "cvt": ("CvtForImageClassification",
            {"embed_dim": [16, 32, 48], "num_heads": [1, 2, 3], "depth": [1, 1, 3],
             "drop_path_rate": [0.0, 0.0, 0.0]}),
    "focalnet": ("FocalNetForImageClassification",
                 {"image_size": 64, "embed_dim": 16, "depths": [1, 1, 2, 1]}),
    "focalnet_srf": ("FocalNetForImageClassification",
                     {"image_size": 64, "embed_dim": 16, "depths": [1, 1, 2, 1],
                      "use_conv_embed": True, "use_layerscale": True,
                      "normalize_modulator": True, "use_post_layernorm": True}),
    "pvt": ("PvtForImageClassification",
            {"image_size": 64, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1],
             "num_attention_heads": [1, 2, 3, 4]}),
    "pvt_v2": ("PvtV2ForImageClassification",
               {"image_size": 64, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1],
                "num_attention_heads": [1, 2, 3, 4]}),
    "pvt_v2_linear": ("PvtV2ForImageClassification",
                      {"image_size": 224, "hidden_sizes": [16, 32, 48, 64],
                       "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 3, 4],
                       "linear_attention": True}),
    "segformer": ("SegformerForImageClassification",
                  {"image_size": 64, "hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1],
                   "num_attention_heads": [1, 2, 4, 8]}),
    "swiftformer": ("SwiftFormerForImageClassification",
                    {"image_size": 64, "embed_dims": [16, 24, 32, 48], "depths": [1, 1, 2, 1]}),
    "textnet": ("TextNetForImageClassification", {"image_size": [64, 64]}),
    "clip": ("CLIPForImageClassification", {"vision_config": {**TINY, "projection_dim": 48},
                                            "text_config": TINY}),
    "siglip": ("SiglipForImageClassification", {"vision_config": TINY}),
    "timm_resnet": ("TimmWrapperForImageClassification", {"architecture": "resnet10t"}),
    "perceiver": ("PerceiverForImageClassificationConvProcessing",
                  {"num_latents": 16, "d_latents": 64, "num_blocks": 1,
                   "num_self_attends_per_block": 2, "num_self_attention_heads": 4,
                   "num_cross_attention_heads": 1, "image_size": 224}),
    "donut": ("DonutSwinForImageClassification", SWIN),
    "metaclip2": ("MetaClip2ForImageClassification",
                  {"vision_config": {**TINY, "projection_dim": 48}, "text_config": TINY}),
    "hiera": ("HieraForImageClassification",
              {"image_size": [64, 64], "embed_dim": 24, "depths": [1, 1, 2, 1],
               "num_heads": [1, 2, 4, 8]}),
}
SIDES = {"pvt_v2_linear": 224, "perceiver": 224, "dinov2": 56,
         "dinov2_swiglu": 56, "dinov2_registers": 56, "timm_resnet": 96}


def awaken(network):
    """Numbers as large as after training: of first ones, small, the logits show nothing."""
    import torch
    from torch import nn
    layers = (nn.Conv1d, nn.Conv2d, nn.Linear)
    weights = {id(m.weight) for m in network.modules() if isinstance(m, layers)}
    for module in network.modules():
        if getattr(module, "running_var", None) is not None:
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
    for parameter in network.parameters():
        if id(parameter) in weights:
            fan_in = parameter.numel() / parameter.shape[0]
            nn.init.normal_(parameter, std=(1.6 / fan_in) ** 0.5)
        elif parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.3)
        else:
            parameter.data += 0.1 * torch.randn_like(parameter)
    return network


def model(name):
    """The network, which gives logits, and the shape of its image."""
    import torch
    family, _, attention = name.partition("-")
    kind, changes = MODELS[family]
    made = getattr(transformers, kind)
    config = made.config_class(**changes)
    config.num_labels = 10
    if attention:
        config._attn_implementation = attention

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = awaken(made(config))

        def forward(self, x):
            return self.network(x).logits

    side = SIDES.get(family, 64)
    return Logits(), (3, side, side)

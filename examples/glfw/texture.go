package main

import (
	"errors"
	"image"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"
)

// texture is a picture in an image of the device, in the layout VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL.
type texture struct {
	device        *device
	image         vk.Image
	memory        vk.DeviceMemory
	width, height int
}

// upload brings a picture to the device. A program that renders would draw it there.
func (d *device) upload(picture *image.RGBA) (t *texture, err error) {
	t = &texture{device: d, width: picture.Rect.Dx(), height: picture.Rect.Dy()}
	if err := settled(func() error { return t.fill(picture.Pix) }); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *texture) fill(pixels []byte) error {
	d := t.device
	size := vk.DeviceSize(len(pixels))
	var staging vk.Buffer
	err := check("vkCreateBuffer", vk.CreateBuffer(d.device, &vk.BufferCreateInfo{
		SType: vk.StructureTypeBufferCreateInfo, Size: size, Usage: vk.BufferUsageFlags(vk.BufferUsageTransferSrcBit),
	}, nil, &staging))
	if err != nil {
		return err
	}
	defer vk.DestroyBuffer(d.device, staging, nil)
	var needs vk.MemoryRequirements
	vk.GetBufferMemoryRequirements(d.device, staging, &needs)
	memory, err := d.allocate(needs, vk.MemoryPropertyHostVisibleBit|vk.MemoryPropertyHostCoherentBit)
	if err != nil {
		return err
	}
	defer vk.FreeMemory(d.device, memory, nil)
	var mapped unsafe.Pointer
	if err := errors.Join(
		check("vkBindBufferMemory", vk.BindBufferMemory(d.device, staging, memory, 0)),
		check("vkMapMemory", vk.MapMemory(d.device, memory, 0, size, 0, &mapped)),
	); err != nil {
		return err
	}
	copy(unsafe.Slice((*byte)(mapped), len(pixels)), pixels)

	extent := vk.Extent3D{Width: uint32(t.width), Height: uint32(t.height), Depth: 1}
	var made vk.Image // not in t: C must not see an address of what holds Go's pointers
	err = check("vkCreateImage", vk.CreateImage(d.device, &vk.ImageCreateInfo{
		SType: vk.StructureTypeImageCreateInfo, ImageType: vk.ImageType2d, Format: vk.FormatR8g8b8a8Unorm, Extent: extent,
		MipLevels: 1, ArrayLayers: 1, Samples: vk.SampleCount1Bit,
		Usage: vk.ImageUsageFlags(vk.ImageUsageTransferSrcBit | vk.ImageUsageTransferDstBit),
	}, nil, &made))
	t.image = made
	if err != nil {
		return err
	}
	vk.GetImageMemoryRequirements(d.device, t.image, &needs)
	if t.memory, err = d.allocate(needs, vk.MemoryPropertyDeviceLocalBit); err != nil {
		return err
	}
	if err := check("vkBindImageMemory", vk.BindImageMemory(d.device, t.image, t.memory, 0)); err != nil {
		return err
	}
	return d.submit(func(c vk.CommandBuffer) {
		transition(c, t.image, vk.ImageLayoutUndefined, vk.ImageLayoutTransferDstOptimal)
		vk.CmdCopyBufferToImage(c, staging, t.image, vk.ImageLayoutTransferDstOptimal, 1,
			[]vk.BufferImageCopy{{ImageSubresource: colorLayer, ImageExtent: extent}})
		transition(c, t.image, vk.ImageLayoutTransferDstOptimal, vk.ImageLayoutTransferSrcOptimal)
	})
}

var colorLayer = vk.ImageSubresourceLayers{AspectMask: vk.ImageAspectFlags(vk.ImageAspectColorBit), LayerCount: 1}

// transition has transfers that follow wait for those before, and changes an image's layout.
func transition(c vk.CommandBuffer, i vk.Image, from, to vk.ImageLayout) {
	vk.CmdPipelineBarrier(c, vk.PipelineStageFlags(vk.PipelineStageTransferBit), vk.PipelineStageFlags(vk.PipelineStageTransferBit), 0,
		0, nil, 0, nil, 1, []vk.ImageMemoryBarrier{{
			SType:         vk.StructureTypeImageMemoryBarrier,
			SrcAccessMask: vk.AccessFlags(vk.AccessTransferWriteBit), DstAccessMask: vk.AccessFlags(vk.AccessTransferReadBit | vk.AccessTransferWriteBit),
			OldLayout: from, NewLayout: to, SrcQueueFamilyIndex: vk.QueueFamilyIgnored, DstQueueFamilyIndex: vk.QueueFamilyIgnored, Image: i,
			SubresourceRange: vk.ImageSubresourceRange{AspectMask: colorLayer.AspectMask, LevelCount: 1, LayerCount: 1},
		}})
}

// allocate takes memory of the first type that has what is wanted.
func (d *device) allocate(needs vk.MemoryRequirements, wanted vk.MemoryPropertyFlagBits) (memory vk.DeviceMemory, err error) {
	needs.Deref()
	var all vk.PhysicalDeviceMemoryProperties
	vk.GetPhysicalDeviceMemoryProperties(d.physical, &all)
	all.Deref()
	for i, t := range all.MemoryTypes[:all.MemoryTypeCount] {
		t.Deref()
		if needs.MemoryTypeBits>>i&1 == 1 && vk.MemoryPropertyFlagBits(t.PropertyFlags)&wanted == wanted {
			return memory, check("vkAllocateMemory", vk.AllocateMemory(d.device, &vk.MemoryAllocateInfo{
				SType: vk.StructureTypeMemoryAllocateInfo, AllocationSize: needs.Size, MemoryTypeIndex: uint32(i),
			}, nil, &memory))
		}
	}
	return nil, errors.New("no memory of the kind that is needed")
}

func (t *texture) close() {
	vk.DestroyImage(t.device.device, t.image, nil)
	vk.FreeMemory(t.device.device, t.memory, nil)
}
